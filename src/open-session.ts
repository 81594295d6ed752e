import { bundledCheckpoint, root } from '../setup/installation.mjs'
import { choosePython } from '../setup/python.mjs'
import type { OpenOptions, Session } from './engine/index.js'

/** The engine's options; those that say which model runs where have defaults. */
export interface SessionOptions extends Omit<OpenOptions, 'checkpoint' | 'python'> {
  /** Folder of the checkpoint, or a hub's id (`org/name`); default: the checkpoint that comes with sjd2. */
  readonly checkpoint?: string | undefined
  /**
   * The Python interpreter: a path, or a name on the PATH; default: the variable SJD2_PYTHON, then the environment that
   * `sjd2 setup` makes.
   */
  readonly python?: string | undefined
}

/**
 * Starts a worker on a checkpoint, or connects to one; images can be submitted to it at any time. The engine, with
 * ZeroMQ, is loaded only now: a policy's file, which imports 'sjd2' too, does without.
 * @throws WorkerError when Python, its packages, the checkpoint or the worker are not as they must be
 */
export async function openSession({ checkpoint, python, ...options }: SessionOptions = {}): Promise<Session> {
  const engine = await import('./engine/index.js')
  return engine.openSession({
    ...options,
    checkpoint: checkpoint ?? bundledCheckpoint,
    python: choosePython(root, python, process.env).path,
  })
}
