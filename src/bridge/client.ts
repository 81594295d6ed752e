import { Dealer } from 'zeromq'
import { LONGEST_SOCKET_PATH } from './address.js'
import { decodeHead, decodeTensors, encodeRequest, type Frames } from './codec.js'
import { badReply, WorkerError } from './error.js'
import type { CurveKeys } from './keys.js'
import { SharedMemory } from './memory.js'
import type { HelloReply, Reply } from './messages.generated.js'
import type { Ask, Op, ReplyTo } from './messages.js'
import { checkedReply } from './schema.js'
import type { Tensors } from './tensor.js'

export interface Answer<O extends Op> {
  readonly head: ReplyTo<O>
  readonly tensors: Tensors
  /** To be called when nobody reads the tensors any more: the memory of some is used again. Without it they stay. */
  readonly release?: () => void
}

/** Asks a worker; several requests may be in flight. */
export interface Client {
  /**
   * Sends a request and waits for its reply. The tensors must not change until it is there.
   * @throws WorkerError what the worker replied, `bad-reply`, or what `close` was given.
   */
  request<O extends Op>(ask: Ask<O>, tensors?: Tensors): Promise<Answer<O>>
  /** Lets replies come by the memory that the worker shares, where it does and this machine has it. */
  share(hello: HelloReply): void
  /** Closes the socket; all that is in flight, and all that is asked from now on, rejects with the error. */
  close(error: WorkerError): void
}

interface Pending {
  readonly op: Op
  /** Where in the shared memory room was made for the reply. */
  readonly at: number | undefined
  resolve(head: Reply, tensors: Tensors, release?: () => void): void
  reject(error: unknown): void
}

export interface ClientOptions {
  /** Without them nothing is encrypted and nobody identified. */
  readonly keys?: CurveKeys
  /** Told what happens to the connection. */
  readonly onEvent?: (event: string) => void
  /** Seconds after which a request that was not answered rejects with `worker-lost`; default: none. Not of `hello`. */
  readonly timeout?: number | undefined
}

/** A client of the worker that listens, or soon will, at a ZeroMQ endpoint. */
export function connectClient(endpoint: string, { keys, onEvent, timeout }: ClientOptions = {}): Client {
  const socket = new Dealer({
    linger: 0,
    reconnectInterval: 20,
    ipv6: endpoint.startsWith('tcp://['), // ZeroMQ knows IPv4 only, unless it is told
    ...(keys && securedBy(keys)),
  })
  const inFlight = new Map<number, Pending>()
  /** Requests that were given up: their replies may still come. */
  const expired = new Set<number>()
  let lastId = 0
  let closedBy: WorkerError | undefined
  let memory: SharedMemory | undefined

  if (onEvent) for (const event of connectionEvents) socket.events.on(event, () => onEvent(event))
  connect()
  void receive()

  function connect() {
    try {
      socket.connect(endpoint)
    } catch (cause) {
      socket.close()
      throw new WorkerError(
        'bad-endpoint',
        `There can be no connection to ${endpoint}: ${(cause as Error).message}.`,
        endpoint.startsWith('ipc:')
          ? `A socket's path has at most ${LONGEST_SOCKET_PATH} bytes: set TMPDIR, or XDG_RUNTIME_DIR, to a shorter one.`
          : 'Give tcp://HOST:PORT, with a port up to 65535; an IPv6 address in brackets: tcp://[::1]:5555.',
        { cause },
      )
    }
  }

  async function receive() {
    for await (const frames of socket) settle(frames)
  }

  function settle(frames: Frames) {
    try {
      const head = decodeHead(frames)
      const id = (head as { id?: number } | null)?.id ?? 0
      if (expired.delete(id)) return
      const pending = inFlight.get(id)
      if (pending === undefined) throw badReply(`a reply to nothing that was asked: ${JSON.stringify(head)}`)
      inFlight.delete(id)
      answer(pending, head, frames, memory)
      if (pending.at !== undefined) memory?.release(pending.at)
    } catch (error) {
      rejectAll(error)
    }
  }

  function expire(id: number) {
    const pending = inFlight.get(id)
    inFlight.delete(id)
    expired.add(id)
    pending?.reject(tooSlow(pending.op, timeout))
  }

  function rejectAll(error: unknown) {
    for (const { reject } of inFlight.values()) reject(error)
    inFlight.clear()
  }

  return {
    async request<O extends Op>(ask: Ask<O>, tensors: Tensors = {}) {
      if (closedBy !== undefined) throw closedBy
      const id = ++lastId
      const at = memory?.reserve(ask, tensors)
      const replied = new Promise<Answer<O>>((resolve, reject) => {
        const settled = (head: Reply, tensors: Tensors, release?: () => void) =>
          resolve({ head: head as ReplyTo<O>, tensors, ...(release && { release }) })
        inFlight.set(id, { op: ask.op, at, resolve: settled, reject })
      })
      const head = { ...ask, id, ...(at !== undefined && { at }) }
      // While a worker loads its model it says nothing, for as long as that takes.
      const expiry =
        timeout !== undefined && ask.op !== 'hello' ? setTimeout(expire, 1000 * timeout, id) : undefined
      try {
        const [answer] = await Promise.all([replied, socket.send(encodeRequest(head, tensors))])
        return answer
      } finally {
        clearTimeout(expiry)
      }
    },

    share(hello) {
      memory = SharedMemory.open(hello)
    },

    close(error) {
      closedBy ??= error
      rejectAll(error)
      socket.close()
      memory?.close()
      memory = undefined
    },
  }
}

/** Of a connection that is lost, was never made, or was refused. */
const connectionEvents = [
  'handshake',
  'disconnect',
  'connect:retry',
  'handshake:error:protocol',
  'handshake:error:auth',
  'handshake:error:other',
] as const

/**
 * Both ends hold the one secret, and each proves it to the other. Each sends heartbeats: a worker that falls silent counts
 * as gone. The worker does the same, and frees the slots of a client that falls silent.
 */
const securedBy = ({ secret, public: key }: CurveKeys) => ({
  curveSecretKey: secret,
  curvePublicKey: key,
  curveServerKey: key,
  heartbeatInterval: 5000,
  heartbeatTimeout: 15_000,
})

const tooSlow = (op: Op, seconds: number | undefined) =>
  new WorkerError(
    'worker-lost',
    `The worker has not answered ${op} for ${seconds} seconds: it hangs, or its device does.`,
    'See what the device does (nvidia-smi, top). For passes that take longer than that, give more time.',
  )

function answer(
  { op, resolve, reject }: Pending,
  head: unknown,
  frames: Frames,
  memory: SharedMemory | undefined,
) {
  try {
    const reply = checkedReply(op, head)
    if (!reply.ok) throw new WorkerError(reply.code, reply.message, reply.remedy)
    const tensors = decodeTensors('tensors' in reply ? reply.tensors : [], frames, memory)
    resolve(reply, tensors, memory && (() => memory.takeBack(tensors)))
  } catch (error) {
    reject(error)
  }
}
