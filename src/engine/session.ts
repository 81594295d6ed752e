import type { WorkerError } from '../bridge/error.js'
import type { HelloReply, ModelCard, StatsReply } from '../bridge/messages.generated.js'
import type { Model } from '../decoding/model.js'
import type { Job, JobStatistics, TokenizedPrompt } from './job.js'
import type { Picture } from './pictures.js'

export interface OpenOptions {
  /** Folder of the checkpoint. */
  readonly checkpoint: string
  /** The Python interpreter: a path, or a name on the PATH. */
  readonly python: string
  /** Default: `auto`, CUDA where there is one. */
  readonly device?: 'auto' | 'cpu' | 'cuda'
  /** Default: `auto`, f32 on a CPU. */
  readonly dtype?: 'auto' | 'f32' | 'bf16' | 'f16'
  /** How many images at most are decoded together, with guidance or without; default 16. */
  readonly images?: number
  /** Aborting it kills the worker: opening and everything in progress rejects with the signal's reason. */
  readonly signal?: AbortSignal
  readonly onEvent?: (event: SessionEvent) => void
}

/** What happens to the worker while a session lasts. */
export type SessionEvent =
  | { readonly kind: 'worker-ready'; readonly pid: number; readonly hello: HelloReply }
  | { readonly kind: 'worker-lost'; readonly error: WorkerError }

export interface RunOptions {
  /** Aborting it ends the run before its next pass, with the signal's reason; the session stays usable. */
  readonly signal?: AbortSignal
  /** After each forward, for each image that was in it. */
  readonly onStep?: (job: Job, statistics: JobStatistics) => void
  /** When an image is done. */
  readonly onDone?: (job: Job, statistics: JobStatistics) => void
}

export interface Session {
  readonly hello: HelloReply
  readonly card: ModelCard
  readonly model: Model
  tokenize(prompts: readonly string[]): Promise<TokenizedPrompt[]>
  /** Decodes all jobs, as many together as there are slots; the rest join as others leave. One run at a time. */
  run(jobs: Iterable<Job>, options?: RunOptions): Promise<void>
  /** Pictures of finished images, from each one's ids over the whole layout. */
  decode(images: readonly Int32Array[]): Promise<Picture[]>
  stats(): Promise<StatsReply>
  /** Ends the worker and waits until it is gone. */
  close(): Promise<void>
}

/**
 * Starts a worker on a checkpoint and asks it for all that decoding must know.
 * @throws WorkerError when Python, its packages, the checkpoint or the worker are not as they must be.
 */
export declare function openSession(options: OpenOptions): Promise<Session>
