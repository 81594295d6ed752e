/**
 * What a researcher imports from 'sjd2': the pieces of decoding, the published policies, the numerics
 * beneath; and what a metric is.
 */
export * from './decoding/index.js'
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
export type { MeasuredPicture, Measurement, Metric } from './experiment/metrics/metric.js'
export * from './numerics/index.js'
export { openSession, type SessionOptions } from './open-session.js'
export * from './policies/index.js'
