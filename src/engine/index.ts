/** Decodes many images together through one worker. */
export { WorkerError, type WorkerErrorCode } from '../bridge/error.js'
export type { HelloReply, ModelCard, StatsReply } from '../bridge/messages.generated.js'
export type { Job, JobStatistics, TokenizedPrompt } from './job.js'
export { openSession, type OpenOptions, type RunOptions, type Session, type SessionEvent } from './session.js'
export type { Picture } from './pictures.js'
