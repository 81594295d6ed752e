/** The way to the worker: its process, the socket, the messages. */

export type { Answer } from './client.js'
export { type ConnectOptions, connectWorker } from './connect.js'
export { isBusy, isLost, isOutOfMemory, WorkerError, type WorkerErrorCode } from './error.js'
export { makeKey } from './keys.js'
export type {
  ForwardReply,
  ForwardRequest,
  HelloReply,
  Lane,
  ModelCard,
  ReadPrompt,
  StatsReply,
  TokenizeReply,
} from './messages.generated.js'
export type { Ask, Op, ReplyTo } from './messages.js'
export {
  checkModel,
  type MemoryPlan,
  type ModelCheck,
  type PictureSize,
  planMemory,
} from './plan.js'
export { checkpointPath, type ProcessOptions, pathOf, workerFolder } from './process.js'
export { findRecord, forgetRecord, recordNames } from './registry.js'
export { bytes, floats, floatsOrHalves, type Tensor, type Tensors, tensor } from './tensor.js'
export { threadSettings } from './threads.js'
export { askWarmWorker, startWarmWorker, stopWarmWorker } from './warm.js'
export { startWorker, type Worker } from './worker.js'
