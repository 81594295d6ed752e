import type { OpenOptions, Session } from './engine/index.js'

/**
 * Starts a worker on a checkpoint, or connects to one; images can be submitted to it at any time. The engine, with
 * ZeroMQ, is loaded only now: a policy's file, which imports 'sjd2' too, does without.
 * @throws WorkerError when Python, its packages, the checkpoint or the worker are not as they must be
 */
export async function openSession(options: OpenOptions): Promise<Session> {
  const engine = await import('./engine/index.js')
  return engine.openSession(options)
}
