/** `sjd2 worker`: workers that stay, with their model loaded, for several runs. */

import {
  askWarmWorker,
  findRecord,
  forgetRecord,
  makeKey,
  recordNames,
  startWarmWorker,
  stopWarmWorker,
  WorkerError,
} from '../bridge/index.js'
import { commandName } from './command-name.js'
import type { ModelOptions } from './model-options.js'
import type { JsonOption } from './options.js'
import { bundledCheckpoint, findPython } from './session.js'
import { createProgress, formatTable } from './terminal.js'

export interface StartOptions extends ModelOptions, JsonOption {
  readonly name?: string
  readonly imagesAtOnce: number
  readonly listen?: string
  readonly key?: string
  /** Minutes. */
  readonly idle: number
}

export interface StopOptions {
  readonly key?: string
  readonly force?: boolean
}

const SECONDS_PER_MINUTE = 60

export async function startWorkerCommand(options: StartOptions, signal: AbortSignal): Promise<void> {
  const { model: checkpoint = bundledCheckpoint, imagesAtOnce, idle } = options
  const progress = createProgress(process.stderr)
  progress.show(`starting a worker and loading ${checkpoint} …`)
  const started = await startWarmWorker({
    ...options,
    checkpoint,
    python: findPython(options.python),
    slots: 2 * imagesAtOnce,
    idle: idle * SECONDS_PER_MINUTE,
    signal,
  }).finally(progress.clear)
  const { name, endpoint, pid } = started
  if (options.json) console.log(JSON.stringify({ name, endpoint, pid }))
  else {
    console.log(`The worker ${name} is ready (process ${pid}, ${endpoint}).`)
    console.log(`  ${commandName} generate --connect ${name} "…"\n  ${commandName} worker stop ${name}`)
  }
}

export async function workerStatus({ json }: JsonOption): Promise<void> {
  const workers = (await Promise.all(recordNames().map(stateOf))).filter((state) => state !== undefined)
  if (json) console.log(JSON.stringify(workers))
  else if (workers.length === 0) console.log(`No worker runs. Start one: ${commandName} worker start`)
  else {
    const rows = workers.map(({ name, checkpoint, pid, endpoint, slots, leased, forwards, gibibytes }) => [
      name,
      checkpoint,
      String(pid),
      endpoint,
      `${leased} of ${slots}`,
      String(forwards),
      gibibytes.toFixed(2),
    ])
    console.log(
      formatTable([
        ['name', 'model', 'process', 'address', 'slots in use', 'passes', 'GiB at most'],
        ...rows,
      ]),
    )
  }
}

/** Undefined, and forgotten, where it has ended. */
async function stateOf(name: string) {
  const { checkpoint, pid, endpoint } = findRecord(name)
  try {
    const { slots = 0, leased = 0, forwards, peakBytes } = await askWarmWorker(name)
    return { name, checkpoint, pid, endpoint, slots, leased, forwards, gibibytes: peakBytes / 2 ** 30 }
  } catch (error) {
    if (!(error instanceof WorkerError && error.code === 'no-worker')) throw error
    forgetRecord(name)
    return undefined
  }
}

export async function stopWorkerCommand(
  name: string | undefined,
  { key, force = false }: StopOptions,
): Promise<void> {
  const names = recordNames()
  const [only] = names
  if (name === undefined && names.length !== 1) {
    throw new WorkerError(
      'no-worker',
      names.length === 0 ? 'No worker runs.' : `Several workers run: ${names.join(', ')}.`,
      names.length === 0 ? 'There is nothing to stop.' : 'Name the one to stop.',
    )
  }
  await stopWarmWorker(name ?? only, key, force)
  console.log(`The worker ${name ?? only} has ended.`)
}

export function makeKeyCommand(file: string): void {
  makeKey(file)
  console.log(
    `${file} holds a new secret key. Whoever has it may use the worker: copy it over a safe way only.`,
  )
}
