/** What a checkpoint's headers tell; no weight is loaded for it. */
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

/** Height and width in pixels. */
export type PictureSize = readonly [number, number]

/** Whether a checkpoint will load, and what it is. */
export interface ModelCheck {
  /** Null where the config does not tell. */
  readonly family: string | null
  /** Null, as the plan, where the checkpoint cannot be opened. */
  readonly picture: {
    readonly size: PictureSize
    /** The size that it was trained at; null where nothing says it. */
    readonly trained: PictureSize | null
    /** Other sizes have sides that are multiples of it; null: there are none. */
    readonly unit: number | null
    readonly codes: { readonly rows: number; readonly columns: number; readonly count: number }
  } | null
  readonly plan: MemoryPlan | null
  /** Versions; null: not installed. */
  readonly libraries: Readonly<Record<string, string | null>>
  readonly faults: readonly { readonly code: string; readonly message: string; readonly remedy: string }[]
  readonly loads: boolean
}

/** Asks what decoding will take. @throws WorkerError as starting a worker does. */
export const planMemory = (options: PlanOptions): Promise<MemoryPlan> => ask('plan', options)

/** Asks whether a checkpoint will load. @throws WorkerError where it cannot be asked. */
export const checkModel = (options: PlanOptions): Promise<ModelCheck> => ask('check', options)

async function ask<T>(what: 'plan' | 'check', options: PlanOptions): Promise<T> {
  const { window, images, memory, signal } = options
  const python = pathOf(options.python)
  const flags = flagsOf({ ...modelArgs(options), window, images, ...(memory !== undefined && { memory }) })
  const result = await execa(python, ['-m', `sjd2_worker.${what}`, ...flags], {
    cwd: workerFolder,
    stdin: 'ignore',
    reject: false,
    cancelSignal: signal,
  })
  signal.throwIfAborted()
  if (result.exitCode !== 0) throw endingError(python, result, result.stderr.split('\n'))
  return JSON.parse(result.stdout)
}
