/** The way to the worker: its process, the socket, the messages. */
export { isLost, WorkerError, type WorkerErrorCode } from './error.js'
export type { Answer } from './client.js'
export type { Ask, Op } from './messages.js'
export type { HelloReply, Lane, ModelCard, StatsReply, TokenizeReply } from './messages.generated.js'
export type { ProcessOptions } from './process.js'
export { bytes, floats, tensor, type Tensors } from './tensor.js'
export { startWorker, type Worker } from './worker.js'
