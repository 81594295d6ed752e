/** Starts `null_worker.py` and speaks to it as the engine does to a worker. */
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { privateAddress } from '../src/bridge/address.js'
import { connectClient } from '../src/bridge/client.js'
import { WorkerError } from '../src/bridge/index.js'
import { PROTOCOL } from '../src/bridge/messages.js'
import type { Worker } from '../src/bridge/worker.js'

/** The interpreter that runs workers here. */
export const python =
  process.env.SJD2_PYTHON ?? fileURLToPath(new URL('../.venv/bin/python', import.meta.url))

const here = fileURLToPath(new URL('.', import.meta.url))
const environment = { PYTHONPATH: fileURLToPath(new URL('../python_worker', import.meta.url)) }

/**
 * @param milliseconds what a forward takes at least.
 * @param dtype what the model would compute in: logits of less than f32 travel as halves.
 */
export async function startNullWorker(images: number, milliseconds: number, dtype: string): Promise<Worker> {
  const { endpoint, remove } = privateAddress()
  const client = connectClient(endpoint)
  const options = { endpoint, slots: 2 * images, milliseconds, dtype }
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`])
  const subprocess = execa(python, ['null_worker.py', ...flags], {
    cwd: here,
    env: environment,
    stdout: 'ignore',
    stderr: 'inherit',
    reject: false,
  })
  const ended = subprocess.then(({ exitCode }) => {
    client.close(new WorkerError('worker-lost', `The null worker ended with ${exitCode}.`, 'See above.'))
  })
  const { head: hello } = await client.request({ op: 'hello', protocol: PROTOCOL })
  return {
    pid: subprocess.pid as number,
    hello,
    request: client.request,
    async close() {
      subprocess.kill()
      await ended
      remove()
    },
  }
}

/** Runs a Python program of this folder and returns what it prints as JSON. */
export async function runPython(file: string, flags: readonly string[]): Promise<unknown> {
  const { stdout } = await execa(python, [file, ...flags], { cwd: here, env: environment })
  return JSON.parse(stdout)
}
