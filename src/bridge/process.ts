import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import {
  type DEVICES,
  type DTYPES,
  flagName,
  type LoadingOptions,
  loadingOf,
} from '../common/model-options.js'
import { type Ending, endingError } from './ending.js'
import type { WorkerError } from './error.js'
import { threadSettings } from './threads.js'

/** The worker is run in its own folder: what lies where the user happens to be is never imported. */
export const workerFolder = fileURLToPath(new URL('../../python_worker/', import.meta.url))

/** How many of the last lines of the worker's standard error are kept to be shown. */
const tailLines = 40

/** Which model, and how it is loaded. */
export interface ModelOptions extends LoadingOptions {
  /** Folder of the checkpoint, or a hub's id (`org/name`). */
  readonly checkpoint: string
  /** A Python file with `load`, for a family of one's own. */
  readonly adapter?: string | undefined
  /** The Python interpreter: a path, or a name on the PATH. */
  readonly python: string
  readonly device: (typeof DEVICES)[number]
  readonly dtype: (typeof DTYPES)[number]
}

export interface ProcessOptions extends ModelOptions {
  /** Key/value slots; an image with guidance takes two. */
  readonly slots: number
  /** Seconds after which a request that was not answered rejects with `worker-lost`; default: none. */
  readonly requestTimeout?: number | undefined
  /** Aborting it kills the worker. */
  readonly signal?: AbortSignal | undefined
}

export interface WorkerProcess {
  readonly pid: number | undefined
  /** Resolves when the process has ended or could not be started: with the reason, as an error. */
  readonly ended: Promise<WorkerError>
  /** Asks the process to end, insists after a second, and waits until it is gone. */
  stop(): Promise<void>
}

/** Arguments that the worker and its planning share. */
export function modelArgs(options: ModelOptions) {
  const { checkpoint, adapter, device, dtype } = options
  return {
    model: checkpointPath(checkpoint),
    ...(adapter !== undefined && { adapter: resolve(adapter) }),
    ...loadingOf(options),
    device,
    dtype,
  }
}

export const flagsOf = (args: Record<string, string | number>): string[] =>
  Object.entries(args).flatMap(([name, value]) => [`--${flagName(name)}`, String(value)])

/** A Python as it can be started from another folder. */
export const pathOf = (python: string): string => (python.includes('/') ? resolve(python) : python)

/** Whether it can only be the id of a hub's model: `org/name`, and no such folder is there. */
const isHubId = (checkpoint: string): boolean =>
  /^[\w-][\w.-]*\/[\w.-]+$/.test(checkpoint) && !existsSync(checkpoint)

/** As the worker, which runs in its own folder, is told of it. */
export const checkpointPath = (checkpoint: string): string =>
  isHubId(checkpoint) ? checkpoint : resolve(checkpoint)

/** How the worker is started: the interpreter, its arguments, and what attached and detached ones share. */
export function workerCommand(
  endpoint: string,
  options: ProcessOptions,
  more: Readonly<Record<string, string | number>>,
) {
  const flags = flagsOf({ ...modelArgs(options), endpoint, slots: options.slots, ...more })
  const settings = {
    cwd: workerFolder,
    stdin: 'ignore',
    stdout: 'ignore',
    env: threadSettings(),
    reject: false,
    forceKillAfterDelay: 1000,
  } as const
  return { python: pathOf(options.python), words: ['-m', 'sjd2_worker', ...flags], settings }
}

/** Starts the worker; it ends with this process, however that ends. */
export function startProcess(endpoint: string, options: ProcessOptions): WorkerProcess {
  const { signal } = options
  const { python, words, settings } = workerCommand(endpoint, options, { parent: process.pid })
  const tail: string[] = []
  const subprocess = execa(python, words, {
    ...settings,
    // biome-ignore lint/correctness/useYield: it keeps the lines and passes none on
    stderr: function* (line: unknown) {
      tail.push(String(line))
      if (tail.length > tailLines) tail.shift()
    },
    // by its --parent it ends with this process; execa would listen to signals for that, and code that never returns would
    // keep Ctrl-\ from ending it
    cleanup: false,
    ...(signal && { cancelSignal: signal }),
  })
  const ended = subprocess.then((result: Ending) => endingError(python, result, tail))
  return {
    pid: subprocess.pid,
    ended,
    async stop() {
      subprocess.kill()
      await ended
    },
  }
}
