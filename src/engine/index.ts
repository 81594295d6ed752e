/** Decodes many images together through one worker. */
export {
  type HelloReply,
  type ModelCard,
  type StatsReply,
  WorkerError,
  type WorkerErrorCode,
} from '../bridge/index.js'
export type { Job, JobStatistics, PromptVectors, TokenizedPrompt } from './job.js'
export type { Picture } from './pictures.js'
export type { RefusedPrompt } from './prompts.js'
export type { RunOptions } from './run.js'
export { type OpenOptions, openSession, type Session } from './session.js'
export type { Submission } from './submission.js'
export type { WorkerEvent } from './supervised-worker.js'
export type { ForwardTiming } from './timing.js'
export { type TraceEvent, traceOf } from './trace.js'
