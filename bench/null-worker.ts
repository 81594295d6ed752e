/** Starts `null_worker.py` and speaks to it as the engine does to a worker. */
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { privateAddress } from '../src/bridge/address.js'
import { connectClient } from '../src/bridge/client.js'
import { WorkerError } from '../src/bridge/index.js'
import { threadSettings } from '../src/bridge/threads.js'
import { greet, type Worker } from '../src/bridge/worker.js'

/** The interpreter that runs workers here. */
export const python =
  process.env.SJD2_PYTHON ?? fileURLToPath(new URL('../.venv/bin/python', import.meta.url))

const here = fileURLToPath(new URL('.', import.meta.url))
const environment = {
  PYTHONPATH: fileURLToPath(new URL('../python_worker', import.meta.url)),
  ...threadSettings(),
}

export interface NullOptions {
  readonly images: number
  /** What a forward takes at least. */
  readonly milliseconds?: number
  /** What the model would compute in: logits of less than f32 travel as halves. */
  readonly dtype?: string
  /** Rows and columns of a picture, image codes, width of an embedding; default: Lumina-mGPT's 48, 8192, 4096. */
  readonly grid?: number
  readonly count?: number
  readonly width?: number
}

export async function startNullWorker({ images, ...shape }: NullOptions): Promise<Worker> {
  const { endpoint, remove } = privateAddress()
  const client = connectClient(endpoint)
  const options = { endpoint, slots: 2 * images, ...shape }
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
  const hello = await greet(client)
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
