/** `sjd2 plan`: what decoding takes, before anything is loaded. */
import { type MemoryPlan, planMemory } from '../bridge/index.js'
import type { ModelOptions } from './model-options.js'
import type { JsonOption } from './options.js'
import { bundledCheckpoint, findPython } from './session.js'
import { createProgress, formatTable } from './terminal.js'

export interface PlanOptions extends ModelOptions, JsonOption {
  readonly imagesAtOnce: number
  readonly window: number
  readonly memory?: number
}

/** Exit code 1 where it does not fit. */
export async function plan(options: PlanOptions, signal: AbortSignal): Promise<void> {
  const { model: checkpoint = bundledCheckpoint, imagesAtOnce: images } = options
  const progress = createProgress(process.stderr)
  progress.show(`reading the shapes of ${checkpoint} …`)
  const python = findPython(options.python)
  const found = await planMemory({ ...options, checkpoint, python, images, signal }).finally(progress.clear)
  for (const warning of found.warnings) progress.log(warning)
  if (options.json) console.log(JSON.stringify({ ...found, total: totalOf(found), images }))
  else {
    console.log(formatPlan(found, options))
    console.log(verdictOf(found))
  }
  if (found.remedy !== null) process.exitCode = 1
}

/** What a plan says, as a table. */
export function formatPlan(
  plan: MemoryPlan,
  { imagesAtOnce: images, window }: Pick<PlanOptions, 'imagesAtOnce' | 'window'>,
): string {
  const { weights, cache, logits, latents, memory, dtype } = plan
  return formatTable([
    ['GiB', dtype, `${images} images at once, window ${window}`],
    ['weights', gib(weights), ''],
    ['key/value cells', gib(cache), `${gib(cache / images)} each, guided`],
    ['logits', gib(logits), 'of a pass'],
    ['latents', gib(latents), 'of a pass, where drafts are noisy'],
    ['in all', gib(totalOf(plan)), `of ${gib(memory)}; besides: a pass’s activations`],
  ])
}

/** Whether it fits, and what would. */
export const verdictOf = ({ remedy }: MemoryPlan): string =>
  remedy === null ? 'It fits.' : `It does not fit. ${remedy}`

const totalOf = ({ weights, cache, logits, latents }: MemoryPlan): number =>
  weights + cache + logits + latents

const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(2)
