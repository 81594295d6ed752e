import type { ErrorReply } from './messages.generated.js'

/** What can go wrong: in a reply of the worker, in its start, on this side of the bridge. */
export type WorkerErrorCode =
  | ErrorReply['code']
  | 'missing-checkpoint'
  | 'corrupt-checkpoint'
  | 'wrong-family'
  | 'wrong-config'
  | 'wrong-torch'
  | 'missing-library'
  | 'bad-endpoint'
  | 'no-python'
  | 'no-worker'
  | 'worker-version'
  | 'worker-lost'
  | 'bad-reply'
  | 'queue-full'

/** A failure of the worker or of the way to it: `message` says what happened and why, `remedy` what to do. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError'
  readonly code: WorkerErrorCode
  readonly remedy: string

  constructor(code: WorkerErrorCode, message: string, remedy: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.remedy = remedy
  }
}

/** Whether the worker is gone, so that a new one may be asked the same again. */
export function isLost(error: unknown): error is WorkerError {
  return error instanceof WorkerError && error.code === 'worker-lost'
}

/** Whether the device had too little memory for what was asked. */
export function isOutOfMemory(error: unknown): error is WorkerError {
  return error instanceof WorkerError && error.code === 'out-of-memory'
}

/** Whether other runs hold the worker's slots. */
export function isBusy(error: unknown): error is WorkerError {
  return error instanceof WorkerError && error.code === 'busy'
}

/** A reply that the protocol does not allow. */
export function badReply(reason: string): WorkerError {
  return new WorkerError(
    'bad-reply',
    `The worker sent what the protocol does not allow: ${reason}.`,
    'The worker and this program are not of the same version, or one has a bug: see `sjd2 doctor`.',
  )
}
