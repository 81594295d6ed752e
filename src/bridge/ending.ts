import { WorkerError, type WorkerErrorCode } from './error.js'

/** What execa tells of a process that has ended or was never started. */
export interface Ending {
  /** Neither is there where the process could not be started. */
  readonly exitCode?: number | undefined
  readonly signal?: string | undefined
  readonly originalMessage?: string | undefined
}

/** Why a worker ended, as an error; `tail` are the last lines of its standard error. */
export function endingError(python: string, ending: Ending, tail: readonly string[]): WorkerError {
  return notStarted(python, ending) ?? announced(tail) ?? lost(ending, tail)
}

function notStarted(python: string, { exitCode, signal, originalMessage }: Ending): WorkerError | undefined {
  if (exitCode !== undefined || signal !== undefined) return undefined
  return new WorkerError(
    'no-python',
    `Python could not be started as ${python}: ${originalMessage ?? 'unknown reason'}.`,
    'Run `sjd2 setup`, or name a Python that has torch and the worker: --python or SJD2_PYTHON.',
  )
}

/** A worker that cannot start says why in its last line, as JSON; what it printed before explains an internal error. */
function announced(tail: readonly string[]): WorkerError | undefined {
  const last = tail.findLastIndex((line) => /^\{"error":.*\}$/.test(line))
  if (last === -1) return undefined
  const { error } = JSON.parse(tail[last]) as {
    error: { code: WorkerErrorCode; message: string; remedy: string }
  }
  const before = error.code === 'internal' ? tail.slice(0, last) : []
  return new WorkerError(error.code, [error.message, ...before].join('\n'), error.remedy)
}

function lost({ exitCode, signal }: Ending, tail: readonly string[]): WorkerError {
  const how = signal === undefined ? `ended with exit code ${exitCode}` : `was killed by ${signal}`
  const words = tail.length === 0 ? '' : `; the last that it wrote:\n${tail.join('\n')}`
  const remedy =
    signal === 'SIGKILL'
      ? 'If nobody killed it, the system had too little memory: decode fewer images at once, or close other programs.'
      : 'Run `sjd2 doctor`; if it finds nothing, the words above belong in a bug report.'
  return new WorkerError('worker-lost', `The worker ${how}${words}${words === '' ? '.' : ''}`, remedy)
}

/**
 * Why a worker that is not there any more has ended, as a sentence.
 * @param log the last lines that it wrote. An orderly end is told in the last of them, as JSON; where there is none, the
 *   lines may be of any time before.
 */
export function whyEnded(log: string): string {
  const last = log.split('\n').at(-1) as string
  if (/^\{"ended":.*\}$/.test(last)) return `it has ended, because ${JSON.parse(last).ended}.`
  const before = log === '' ? '.' : `; the last that it wrote before:\n${log}`
  return `it has ended without a word of why, as when it is killed${before}`
}
