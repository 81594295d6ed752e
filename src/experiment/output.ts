/** Output folders and files: checked before any work, and never half-written. */
import { mkdir, open, rename, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { ExperimentError } from './error.js'

/** What a folder must have free besides the files themselves: metadata and directory blocks. */
const SLACK_BYTES = 1 << 20

/**
 * Makes an output folder and shows, by writing, that files can be written there.
 * @param bytes about how much will be written into it.
 * @throws ExperimentError `bad-output` when it cannot be written, or is too full.
 */
export async function prepareOutput(folder: string, bytes: number): Promise<void> {
  const probe = join(folder, `.sjd2-${process.pid}`)
  try {
    await mkdir(folder, { recursive: true })
    await writeWhole(probe, new Uint8Array(1))
  } catch (error) {
    throw unwritable(folder, error)
  } finally {
    await rm(probe, { force: true }).catch(() => undefined)
  }
  const { bavail, bsize } = await statfs(folder)
  assertRoom(folder, bavail * bsize, bytes + SLACK_BYTES)
}

/** @throws ExperimentError `bad-output` when `free` bytes are fewer than `needed`. */
export function assertRoom(folder: string, free: number, needed: number): void {
  if (free >= needed) return
  const mebibytes = (value: number) => (value / 2 ** 20).toFixed(1)
  throw new ExperimentError(
    'bad-output',
    `The disk that holds ${folder} is full: ${mebibytes(free)} MiB free, about ${mebibytes(needed)} MiB needed.`,
    'free some space, or choose another folder with --out',
  )
}

/**
 * Writes a file under a temporary name and renames it: whoever looks sees all of it or nothing.
 * @throws ExperimentError `bad-output` when the disk is full or the folder cannot be written.
 */
export async function writeWhole(path: string, data: Uint8Array | string): Promise<void> {
  const draft = `${path}.${process.pid}.tmp`
  try {
    const file = await open(draft, 'w')
    try {
      await file.writeFile(data)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined)
    throw unwritable(path, error)
  }
}

function unwritable(path: string, error: unknown): unknown {
  if (error instanceof ExperimentError) return error
  const reasons: Record<string, string> = {
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EROFS: 'the file system is read-only',
    ENOSPC: 'the disk is full',
    EDQUOT: 'the disk quota is used up',
    ENOTDIR: 'a part of the path is a file, not a folder',
    EEXIST: 'a file of that name is in the way',
    EISDIR: 'a folder of that name is in the way',
    ENAMETOOLONG: 'the name is too long',
  }
  const reason = reasons[(error as NodeJS.ErrnoException).code ?? '']
  if (!reason) return error
  return new ExperimentError(
    'bad-output',
    `Cannot write ${path}: ${reason}.`,
    'mend that, or choose another folder with --out',
    { cause: error },
  )
}
