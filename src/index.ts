/**
 * What a researcher imports from 'sjd2': the pieces of decoding, the published policies, the numerics beneath; a session
 * that draws pictures; and what a policy file and a metric are.
 */
export type {
  Job,
  JobStatistics,
  OpenOptions,
  Picture,
  Session,
  Submission,
  TokenizedPrompt,
  WorkerEvent,
} from './engine/index.js'
export type { MeasuredPicture, Measurement, Metric } from './experiment/index.js'
export * from './library.js'
export { openSession, type SessionOptions } from './open-session.js'
export { loadPolicyFile, type PolicyFactory } from './user-modules/index.js'
