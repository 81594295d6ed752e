/** The way to the worker: its process, the socket, the messages. */

export type { Answer } from './client.js'
export { type ConnectOptions, connectWorker } from './connect.js'
export { isBusy, isLost, isOutOfMemory, WorkerError, type WorkerErrorCode } from './error.js'
export type {
  ForwardReply,
  HelloReply,
  Lane,
  ModelCard,
  StatsReply,
  TokenizeReply,
} from './messages.generated.js'
export type { Ask, Op, ReplyTo } from './messages.js'
export type { ProcessOptions } from './process.js'
export { bytes, floats, floatsOrHalves, type Tensor, type Tensors, tensor } from './tensor.js'
export { startWorker, type Worker } from './worker.js'
