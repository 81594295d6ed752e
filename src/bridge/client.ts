import { Dealer } from 'zeromq'
import { decodeHead, decodeTensors, encodeRequest, type Frames } from './codec.js'
import { badReply, WorkerError } from './error.js'
import type { Reply } from './messages.generated.js'
import type { Ask, Op, ReplyTo } from './messages.js'
import { checkedReply } from './schema.js'
import type { Tensors } from './tensor.js'

export interface Answer<O extends Op> {
  readonly head: ReplyTo<O>
  readonly tensors: Tensors
}

/** Asks a worker; several requests may be in flight. */
export interface Client {
  /**
   * Sends a request and waits for its reply. The tensors must not change until it is there.
   * @throws WorkerError what the worker replied, `bad-reply`, or what `close` was given.
   */
  request<O extends Op>(ask: Ask<O>, tensors?: Tensors): Promise<Answer<O>>
  /** Closes the socket; all that is in flight, and all that is asked from now on, rejects with the error. */
  close(error: WorkerError): void
}

interface Pending {
  readonly op: Op
  resolve(head: Reply, tensors: Tensors): void
  reject(error: unknown): void
}

/** A client of the worker that listens, or soon will, at a ZeroMQ endpoint. */
export function connectClient(endpoint: string): Client {
  const socket = new Dealer({ linger: 0, reconnectInterval: 20 })
  const inFlight = new Map<number, Pending>()
  let lastId = 0
  let closedBy: WorkerError | undefined

  socket.connect(endpoint)
  void receive()

  async function receive() {
    for await (const frames of socket) settle(frames)
  }

  function settle(frames: Frames) {
    try {
      const head = decodeHead(frames)
      const pending = inFlight.get((head as { id?: number } | null)?.id ?? 0)
      if (pending === undefined) throw badReply(`a reply to nothing that was asked: ${JSON.stringify(head)}`)
      inFlight.delete((head as { id: number }).id)
      answer(pending, head, frames)
    } catch (error) {
      rejectAll(error)
    }
  }

  function rejectAll(error: unknown) {
    for (const { reject } of inFlight.values()) reject(error)
    inFlight.clear()
  }

  return {
    async request<O extends Op>(ask: Ask<O>, tensors: Tensors = {}) {
      if (closedBy !== undefined) throw closedBy
      const id = ++lastId
      const replied = new Promise<Answer<O>>((resolve, reject) => {
        const settled = (head: Reply, tensors: Tensors) => resolve({ head: head as ReplyTo<O>, tensors })
        inFlight.set(id, { op: ask.op, resolve: settled, reject })
      })
      const [answer] = await Promise.all([replied, socket.send(encodeRequest({ ...ask, id }, tensors))])
      return answer
    },

    close(error) {
      closedBy ??= error
      rejectAll(error)
      socket.close()
    },
  }
}

function answer({ op, resolve, reject }: Pending, head: unknown, frames: Frames) {
  try {
    const reply = checkedReply(op, head)
    if (!reply.ok) throw new WorkerError(reply.code, reply.message, reply.remedy)
    resolve(reply, decodeTensors('tensors' in reply ? reply.tensors : [], frames))
  } catch (error) {
    reject(error)
  }
}
