import { version } from '../../setup/installation.mjs'
import { privateAddress } from './address.js'
import { type Client, connectClient } from './client.js'
import { WorkerError } from './error.js'
import type { HelloReply } from './messages.generated.js'
import { PROTOCOL } from './messages.js'
import { type ProcessOptions, startProcess } from './process.js'

/** A running worker that has said hello. */
export interface Worker {
  /** Undefined for one on another machine. */
  readonly pid: number | undefined
  readonly hello: HelloReply
  readonly request: Client['request']
  /** Ends the worker and waits until it is gone. */
  close(): Promise<void>
}

/**
 * Starts a worker and agrees with it on the protocol. Nothing is left behind where that fails. When the worker ends
 * later, all requests reject with `worker-lost`.
 * @throws WorkerError, or the signal's reason
 */
export async function startWorker(options: ProcessOptions): Promise<Worker> {
  options.signal?.throwIfAborted()
  const address = privateAddress()
  const client = connectClient(address.endpoint, { timeout: options.requestTimeout })
  const process = startProcess(address.endpoint, options)
  void process.ended.then((error) => client.close(error))

  try {
    const hello = await greet(client)
    return { pid: process.pid, hello, request: client.request, close: process.stop }
  } catch (error) {
    await process.stop()
    options.signal?.throwIfAborted()
    throw error
  } finally {
    address.remove()
  }
}

interface Wanted {
  readonly slots?: number
  /** Whether replies may come by memory that the worker shares with this machine; default: they may. */
  readonly memory?: boolean
}

/** Says hello; from then on replies come by shared memory where that can be. @throws WorkerError */
export async function greet(client: Client, { memory = true, ...slots }: Wanted = {}): Promise<HelloReply> {
  const { head } = await client.request({ op: 'hello', protocol: PROTOCOL, memory, ...slots })
  if (head.protocol !== PROTOCOL) {
    throw new WorkerError(
      'protocol-version',
      `The worker speaks version ${head.protocol} of the protocol, this program version ${PROTOCOL}.`,
      'Update the older of the two; `sjd2 doctor` shows both.',
    )
  }
  if (series(head.worker) !== series(version)) {
    throw new WorkerError(
      'worker-version',
      `The worker is of version ${head.worker}, this program of version ${version}: they must have the same major and minor number.`,
      'Update the older of the two, and start the worker again.',
    )
  }
  client.share(head)
  return head
}

/** Major and minor number of a version: patches fit each other. */
const series = (release: string): string => release.split('.').slice(0, 2).join('.')
