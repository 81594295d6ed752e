import { setTimeout } from 'node:timers/promises'
import { type Client, connectClient } from './client.js'
import { whyEnded } from './ending.js'
import { isBusy, WorkerError } from './error.js'
import { type CurveKeys, readKeys } from './keys.js'
import type { HelloReply } from './messages.generated.js'
import { findRecord, readRecord } from './registry.js'
import { greet, type Worker } from './worker.js'

/** Milliseconds between two questions whether slots have become free. */
const PATIENCE = 500

export interface ConnectOptions {
  /** The name of a worker that `startWarmWorker` started on this machine, or `ipc://PATH` or `tcp://HOST:PORT`. */
  readonly to: string
  /** For tcp: the file of the secret key that both ends hold. */
  readonly key?: string | undefined
  /** Key/value slots wanted; one gets all that there are where these are fewer. */
  readonly slots: number
  /** Seconds after which a request that was not answered rejects with `worker-lost`; default: none. */
  readonly requestTimeout?: number | undefined
  /** Tokens of a prompt that these are to have room for; they are made larger where they have not. */
  readonly promptCells?: number | undefined
  /** Told once, where other runs have the slots and it is waited for them. */
  readonly onBusy?: ((error: WorkerError) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Connects to a worker that runs already, and waits while other runs hold its slots. Closing the connection, or dying,
 * frees one's own; the worker stays.
 * @throws WorkerError `no-worker` where nobody answers there, `bad-endpoint`, or the signal's reason
 */
export async function connectWorker(options: ConnectOptions): Promise<Worker> {
  const { to, key, slots, promptCells, requestTimeout, onBusy, signal } = options
  signal?.throwIfAborted()
  // what another machine calls its memory may be something else here
  const memory = !to.startsWith('tcp://')
  const client = connectTo(to, key, requestTimeout)
  const leave = () => client.close(goneAway(to))
  signal?.addEventListener('abort', leave, { once: true })
  try {
    const said = await admitted(client, memory, { slots, onBusy, signal })
    const hello = promptCells === undefined ? said : await roomier(client, said, promptCells)
    return {
      pid: readRecord(to)?.pid,
      hello,
      request: client.request,
      async close() {
        signal?.removeEventListener('abort', leave)
        leave()
      },
    }
  } catch (error) {
    leave()
    signal?.throwIfAborted()
    throw error
  }
}

async function admitted(
  client: Client,
  memory: boolean,
  { slots, onBusy, signal }: Pick<ConnectOptions, 'slots' | 'onBusy' | 'signal'>,
) {
  for (let told = false; ; told = true) {
    const hello = await greet(client, { slots, memory }).catch((error: unknown) => {
      if (!isBusy(error)) throw error
      if (!told) onBusy?.(error)
    })
    if (hello) return hello
    await setTimeout(PATIENCE, undefined, signal && { signal })
  }
}

/** The worker, with room for prompts of so many tokens. */
async function roomier(client: Client, hello: HelloReply, tokens: number): Promise<HelloReply> {
  if (tokens <= hello.promptCells) return hello
  const { cells, promptCells } = (await client.request({ op: 'reserve', promptCells: tokens })).head
  return { ...hello, cells, promptCells }
}

/** A client that closes itself when the connection fails. */
export function connectTo(to: string, key: string | undefined, timeout?: number): Client {
  const { endpoint, keys } = addressOf(to, key)
  let connected = false
  const client: Client = connectClient(endpoint, {
    ...(keys && { keys }),
    timeout,
    onEvent(event) {
      if (event === 'handshake') connected = true
      else if (event.startsWith('handshake:error') || (event === 'disconnect' && !connected))
        // without a key there is nothing to refuse: it died meanwhile
        client.close(keys ? refused(to) : nobody(to))
      else if (event === 'connect:retry') client.close(nobody(to))
      else client.close(goneAway(to))
    },
  })
  return client
}

function addressOf(to: string, key: string | undefined): { endpoint: string; keys?: CurveKeys } {
  if (/^ipc:\/\/./.test(to)) return { endpoint: to }
  if (!to.includes('://')) {
    const { endpoint, key } = findRecord(to)
    return { endpoint: reachable(endpoint), ...(key !== undefined && { keys: readKeys(key) }) }
  }
  if (!/^tcp:\/\/.+:\d+$/.test(to)) {
    throw new WorkerError(
      'bad-endpoint',
      `${to} is no address of a worker.`,
      'Give a name (see sjd2 worker status), ipc://PATH or tcp://HOST:PORT.',
    )
  }
  if (key === undefined) {
    throw new WorkerError(
      'bad-endpoint',
      `What goes to ${to} would be open to all between.`,
      'Give --key FILE, the secret key that the worker was started with.',
    )
  }
  return { endpoint: to, keys: readKeys(key) }
}

/** Where a worker that listens on all addresses of this machine is reached from here. */
export const reachable = (endpoint: string) =>
  endpoint
    .replace(/^tcp:\/\/(0\.0\.0\.0|\*):/, 'tcp://127.0.0.1:')
    .replace(/^tcp:\/\/\[::\]:/, 'tcp://[::1]:')

function nobody(to: string): WorkerError {
  const worker = readRecord(to)
  return new WorkerError(
    'no-worker',
    worker === undefined
      ? `No worker answers at ${to}: it has ended or was never there.`
      : `No worker answers at ${to}: ${whyEnded(worker.lastLines())}`,
    'Start one: sjd2 worker start; sjd2 worker status says which there are.',
  )
}

const refused = (to: string) =>
  new WorkerError(
    'bad-endpoint',
    `The worker at ${to} did not accept the connection: it holds another key, or is no worker of sjd2.`,
    'Give by --key the very file that it was started with.',
  )

const goneAway = (to: string) =>
  new WorkerError(
    'worker-lost',
    `The connection to the worker at ${to} has ended: it was stopped, killed, or lost its network.`,
    'Start it again: sjd2 worker start.',
  )
