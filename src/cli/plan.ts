/** `sjd2 plan`: what decoding takes, before anything is loaded. */
import { planMemory } from '../bridge/plan.js'
import type { PlanOptions } from './program.js'
import { bundledCheckpoint, findPython } from './session.js'
import { createProgress, formatTable } from './terminal.js'

/** Exit code 1 where it does not fit. */
export async function plan(options: PlanOptions, signal: AbortSignal): Promise<void> {
  const { model: checkpoint = bundledCheckpoint, imagesAtOnce: images } = options
  const progress = createProgress(process.stderr)
  progress.show(`reading the shapes of ${checkpoint} …`)
  const python = findPython(options.python)
  const found = await planMemory({ ...options, checkpoint, python, images, signal }).finally(progress.clear)
  for (const warning of found.warnings) progress.log(warning)
  const { weights, cache, logits, latents, memory, remedy, dtype } = found
  const total = weights + cache + logits + latents
  if (options.json) console.log(JSON.stringify({ ...found, total, images }))
  else {
    console.log(
      formatTable([
        ['GiB', dtype, `${images} images at once, window ${options.window}`],
        ['weights', gib(weights), ''],
        ['key/value cells', gib(cache), `${gib(cache / images)} each, guided`],
        ['logits', gib(logits), 'of a pass'],
        ['latents', gib(latents), 'of a pass, where drafts are noisy'],
        ['in all', gib(total), `of ${gib(memory)}; besides: a pass’s activations`],
      ]),
    )
    console.log(remedy === null ? 'It fits.' : `It does not fit. ${remedy}`)
  }
  if (remedy !== null) process.exitCode = 1
}

const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(2)
