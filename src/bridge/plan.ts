import { execa } from 'execa'
import { endingError } from './ending.js'
import { flagsOf, type ModelOptions, modelArgs, pathOf, workerFolder } from './process.js'

export interface PlanOptions extends ModelOptions {
  /** Drafts in a pass. */
  readonly window: number
  /** Images decoded at once. */
  readonly images: number
  /** GiB of the device; default: what is free here. */
  readonly memory?: number | undefined
  readonly signal: AbortSignal
}

/** Bytes that decoding takes, by what they are for. */
export interface MemoryPlan {
  readonly name: string
  readonly dtype: string
  readonly weights: number
  readonly cache: number
  readonly logits: number
  readonly latents: number
  readonly memory: number
  /** What would fit; null where it does. */
  readonly remedy: string | null
  /** What a user should know of how the model is loaded. */
  readonly warnings: readonly string[]
}

/** Asks what decoding will take; no weight is loaded for it. @throws WorkerError as starting a worker does. */
export async function planMemory(options: PlanOptions): Promise<MemoryPlan> {
  const { window, images, memory, signal } = options
  const python = pathOf(options.python)
  const flags = flagsOf({ ...modelArgs(options), window, images, ...(memory !== undefined && { memory }) })
  const result = await execa(python, ['-m', 'sjd2_worker.plan', ...flags], {
    cwd: workerFolder,
    stdin: 'ignore',
    reject: false,
    cancelSignal: signal,
  })
  signal.throwIfAborted()
  if (result.exitCode !== 0) throw endingError(python, result, result.stderr.split('\n'))
  return JSON.parse(result.stdout)
}
