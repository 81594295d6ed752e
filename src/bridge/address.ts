import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onExit } from 'signal-exit'
import { WorkerError } from './error.js'

/** The longest path that a Unix socket can have, less the final zero: 108 bytes on Linux, 104 on macOS. */
export const LONGEST_SOCKET_PATH = process.platform === 'linux' ? 107 : 103

/** A place for a socket that nobody else can reach. */
export interface PrivateAddress {
  readonly endpoint: string
  /** Removes it; a connection that stands goes on without it. */
  remove(): void
}

/**
 * Makes a folder that only this user can enter (0700) for the worker's socket; it goes with this process at the latest.
 * @throws WorkerError `bad-endpoint`
 */
export function privateAddress(): PrivateAddress {
  const parent = tmpdir()
  const folder = makeFolder(join(parent, 'sjd2-'))
  const forget = onExit(() => rmSync(folder, { recursive: true, force: true }))
  const remove = () => {
    forget()
    rmSync(folder, { recursive: true, force: true })
  }
  const path = join(folder, 'worker.sock')
  if (Buffer.byteLength(path) <= LONGEST_SOCKET_PATH) return { endpoint: `ipc://${path}`, remove }
  remove()
  throw new WorkerError(
    'bad-endpoint',
    `The worker's socket ${path} would have a path of more than ${LONGEST_SOCKET_PATH} bytes, which the system forbids.`,
    'Set TMPDIR to a folder with a shorter path.',
  )
}

function makeFolder(prefix: string): string {
  try {
    return mkdtempSync(prefix)
  } catch (cause) {
    throw new WorkerError(
      'bad-endpoint',
      `No folder for the worker's socket could be made: ${(cause as Error).message}.`,
      'Set TMPDIR to a folder that exists and that you may write to.',
      { cause },
    )
  }
}
