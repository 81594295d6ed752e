import { spawn } from 'node:child_process'
import { closeSync, ftruncateSync, openSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { tryLock } from 'fs-native-extensions'
import { fixedNames, loadingOf } from '../common/model-options.js'
import { connectClient } from './client.js'
import { connectTo, reachable } from './connect.js'
import { type Ending, endingError } from './ending.js'
import { isLost, WorkerError } from './error.js'
import { readKeys } from './keys.js'
import type { StatsReply } from './messages.generated.js'
import { PROTOCOL } from './messages.js'
import { checkpointPath, type ProcessOptions, pathOf, type WorkerProcess, workerCommand } from './process.js'
import {
  findRecord,
  forgetRecord,
  keepRecord,
  placeOf,
  readLog,
  readRecord,
  type WarmWorker,
} from './registry.js'

export interface WarmOptions extends ProcessOptions {
  /** Default: the checkpoint's folder. */
  readonly name?: string | undefined
  /** `tcp://HOST:PORT`, for other machines too; default: a socket that only this user can reach. */
  readonly listen?: string | undefined
  /** For tcp: the file of the secret key that both ends hold. */
  readonly key?: string | undefined
  /** It ends by itself when for so many seconds nobody has used it; 0: never. */
  readonly idle: number
}

/**
 * Starts a worker that outlives this process, and waits until it can be used.
 * @throws WorkerError as `startWorker` does, and where one of that name runs already
 */
export async function startWarmWorker(options: WarmOptions): Promise<WarmWorker> {
  const { name = basename(options.checkpoint), listen, key, signal } = options
  await checkFree(name)
  checkListen(listen, key)
  const { socket, log } = placeOf(name)
  const endpoint = listen ?? `ipc://${socket}`
  const worker = detached(endpoint, log, ownLog(name, log), options)
  const stop = () => void worker.stop()
  signal?.addEventListener('abort', stop, { once: true })
  try {
    await ready(endpoint, key, worker.ended)
    const { adapter, python, device, dtype } = options
    const checkpoint = checkpointPath(options.checkpoint)
    const model = {
      checkpoint,
      adapter: adapter && resolve(adapter),
      ...loadingOf(options, fixedNames),
      python: pathOf(python),
      device,
      dtype,
    }
    keepRecord({
      ...model,
      name,
      endpoint,
      key: key && resolve(key),
      pid: worker.pid as number,
      protocol: PROTOCOL,
    })
    return findRecord(name)
  } catch (error) {
    await worker.stop()
    forgetRecord(name)
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

/** What a warm worker has done, and how many of its slots are in use. @throws WorkerError `no-worker` */
export async function askWarmWorker(to: string, key?: string): Promise<StatsReply> {
  const client = connectTo(to, key)
  try {
    return (await client.request({ op: 'stats' })).head
  } finally {
    client.close(over)
  }
}

/**
 * Ends a warm worker after what it is at.
 * @throws WorkerError `busy` where a run uses it and `force` is not set; `no-worker`
 */
export async function stopWarmWorker(to: string, key: string | undefined, force: boolean): Promise<void> {
  const client = connectTo(to, key)
  try {
    const { leased = 0 } = force ? {} : (await client.request({ op: 'stats' })).head
    if (leased > 0) {
      throw new WorkerError(
        'busy',
        `A run holds ${leased} slots of the worker ${to}, and would end with it.`,
        'Wait for that run, or stop the worker with --force.',
      )
    }
    await client.request({ op: 'shutdown' }).catch((error: unknown) => {
      if (!isLost(error)) throw error // its end may be told before its reply is read
    })
  } finally {
    client.close(over)
  }
  if (readRecord(to) !== undefined) forgetRecord(to)
}

const over = new WorkerError('worker-lost', 'The connection was closed.', 'Connect again.')

/**
 * Opens the log of a new worker and locks it for the worker, which is given it and holds the lock for as long as it
 * lives: of two that are started under one name at once, the second would take the first's place and leave it unfound.
 */
function ownLog(name: string, log: string): number {
  const file = openSync(log, 'a', 0o600)
  if (!tryLock(file)) {
    closeSync(file)
    throw new WorkerError(
      'busy',
      `A worker ${name} is just being started, or has not ended yet.`,
      `Wait for it (sjd2 worker status), or give this one another --name.`,
    )
  }
  ftruncateSync(file)
  return file
}

/**
 * A worker that is no child: nothing of this process, not even its terminal, ends it.
 * @param file the log, open; closed here.
 */
function detached(endpoint: string, log: string, file: number, options: WarmOptions): WorkerProcess {
  const { key, idle } = options
  const { python, words, settings } = workerCommand(endpoint, options, {
    ...(key !== undefined && { 'curve-secret-file': resolve(key) }),
    ...(idle > 0 && { idle }),
  })
  const { cwd, env } = settings
  // execa would pass standard error through this process
  const child = spawn(python, words, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', file],
    detached: true,
  })
  closeSync(file)
  child.unref()
  const ending = new Promise<Ending>((settle) => {
    child.once('error', ({ message }) => settle({ originalMessage: message }))
    child.once('exit', (code, signal) => settle({ exitCode: code ?? undefined, signal: signal ?? undefined }))
  })
  const ended = ending.then((result) => endingError(python, result, readLog(log).split('\n')))
  return {
    pid: child.pid,
    ended,
    async stop() {
      child.kill()
      await ended
    },
  }
}

/** Waits for a worker that is being started. @throws the reason, where it ends instead */
async function ready(
  endpoint: string,
  key: string | undefined,
  ended: WorkerProcess['ended'],
): Promise<void> {
  const client = connectClient(reachable(endpoint), key === undefined ? {} : { keys: readKeys(key) })
  try {
    await Promise.race([client.request({ op: 'stats' }), ended.then((error) => Promise.reject(error))])
  } finally {
    client.close(over)
  }
}

/** Clears away what a dead worker of that name left. */
async function checkFree(name: string): Promise<void> {
  const before = readRecord(name)
  if (before === undefined) return
  const dead = await askWarmWorker(name).then(
    () => false,
    (error) => error instanceof WorkerError && error.code === 'no-worker',
  )
  if (dead) return forgetRecord(name)
  throw new WorkerError(
    'busy',
    `A worker ${name} runs already, on ${before.checkpoint}.`,
    `Use it (--connect ${name}), stop it (sjd2 worker stop ${name}), or give this one another --name.`,
  )
}

function checkListen(listen: string | undefined, key: string | undefined): void {
  if (listen === undefined && key === undefined) return
  if (listen === undefined || key === undefined || !/^tcp:\/\/.+:\d+$/.test(listen)) {
    throw new WorkerError(
      'bad-endpoint',
      'A worker for other machines needs an address and a key: whoever reaches its port must prove to hold that.',
      'Give --listen tcp://HOST:PORT and --key FILE (sjd2 worker key FILE makes one).',
    )
  }
  readKeys(key)
}
