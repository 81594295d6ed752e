/** `sjd2 finetune` and `sjd2 shards`: thin, for Python does all of it. */
import { resolve } from 'node:path'
import { checkpointPath } from '../bridge/index.js'
import { commandName } from './command-name.js'
import type { ModelChoice } from './model-options.js'
import { bundledCheckpoint } from './session.js'
import { formatTable } from './terminal.js'
import { runTraining, type TrainingOptions } from './training.js'

/** What both commands take. */
export interface TrainingModelOptions extends ModelChoice {
  readonly data: string
  readonly out: string
  readonly batch: number
  readonly background: string
  readonly skipBad?: true
  readonly json?: true
}

export interface ShardsOptions extends TrainingModelOptions {
  readonly perShard: number
}

export interface FinetuneOptions extends TrainingModelOptions {
  readonly steps: number
  readonly accumulate: number
  readonly learningRate?: number
  readonly decay: number
  readonly optimiser: string
  readonly lora?: number
  readonly dtype: string
  readonly checkpointing?: true
  readonly compile?: true
  readonly schedule?: string
  readonly window: number
  readonly captionDropout: number
  readonly heldOut: number
  readonly every: number
  readonly seed: number
  readonly base?: string
  readonly state?: string
  readonly captionsChanged?: true
  readonly processes: number
  readonly shard?: true
}

/** Pictures and captions to codes. */
export async function shards(options: ShardsOptions, signal: AbortSignal): Promise<void> {
  const { python, json, ...rest } = options
  const said = await runTraining('shards', absolute(rest), { python, processes: 1, signal })
  const { examples, skipped, shards, written, encoded, background, out } = said
  console.log(
    json
      ? JSON.stringify(said)
      : `${examples} examples in ${out}${leftOut(skipped)}: ` +
          `${written} of ${shards} files written, ${encoded} pictures encoded, on ${background} where transparent`,
  )
}

/** Next-clean-token fine-tuning. */
export async function finetune(options: FinetuneOptions, signal: AbortSignal): Promise<void> {
  const { python, processes, json, ...rest } = options
  const settings = { ...absolute(rest), parent: process.pid }
  const said = await runTraining('finetune', settings, { python, processes, signal })
  if (json) return console.log(JSON.stringify(said))
  const { before, after } = said as Record<string, Record<string, number>>
  const names = Object.keys(after)
  if (names.length > 0) {
    const row = (title: string, losses: Record<string, number>) => [
      title,
      ...names.map((name) => losses[name]?.toFixed(3) ?? '–'),
    ]
    console.log(formatTable([['bits', ...names], row('before', before), row('after', after)]))
  }
  console.log(`Draw with it${leftOut(said.skipped)}: ${commandName} generate --model ${said.out} "…"`)
}

const leftOut = (skipped: unknown) => (skipped === 0 ? '' : ` (${skipped} left out)`)

/** Python is run in its own folder. */
function absolute(options: object & { model?: string; data: string; out: string }): TrainingOptions {
  const { model = bundledCheckpoint, ...rest } = options
  const paths = ['adapter', 'data', 'out', 'base', 'state']
  const entries = Object.entries(rest).map(([name, value]) => [
    name,
    paths.includes(name) && typeof value === 'string' ? resolve(value) : value,
  ])
  return { model: checkpointPath(model), ...Object.fromEntries(entries) }
}
