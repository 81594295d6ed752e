/** Output folders and files: checked before any work, and never half-written. */
import { existsSync } from 'node:fs'
import { appendFile, mkdir, open, rename, rm, rmdir, stat, statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { ExperimentError } from './error.js'
import { withLock } from './lock.js'

/** What a folder must have free besides the files themselves: metadata and directory blocks. */
const SLACK_BYTES = 1 << 20

/** More than a PNG file of so many pixels takes, the parameters in it included. */
export const pictureBytes = ({ width, height }: { width: number; height: number }): number =>
  3 * width * height + (1 << 14)

/**
 * Makes an output folder, shows by writing that files can be written there, and then does the work, alone in it. Where
 * that fails before anything was written, a folder that was made for it is taken away again.
 * @throws ExperimentError `bad-output` when it cannot be written or another run is at work in it; whatever `work` throws.
 */
export async function withOutput<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const isNew = !existsSync(folder)
  try {
    await checkOutput(folder)
    return await withLock(folder, work)
  } catch (error) {
    if (isNew) await rmdir(folder).catch(() => undefined) // a folder that holds something stays
    throw error
  }
}

/**
 * Makes a folder where there is none, and shows by writing that files can be written there.
 * @throws ExperimentError `bad-output`
 */
export async function checkOutput(folder: string): Promise<void> {
  const probe = join(folder, `.sjd2-${process.pid}`)
  try {
    await makeFolder(resolve(folder))
    await writeWhole(probe, new Uint8Array(1))
  } catch (error) {
    throw unwritable(folder, error)
  } finally {
    await rm(probe, { force: true }).catch(() => undefined)
  }
}

/** @throws ExperimentError `bad-output` when the disk has no room for about so many bytes. */
export async function checkRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  assertRoom(folder, bavail * bsize, bytes + SLACK_BYTES)
}

/** Node's own recursive mkdir never returns where the system has a folder in which nothing can be made, such as /proc. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return
    if (code !== 'ENOENT' || dirname(folder) === folder) throw error
    await makeFolder(dirname(folder))
    await mkdir(folder)
  }
}

/** @throws ExperimentError `bad-output` when `free` bytes are fewer than `needed`. */
export function assertRoom(folder: string, free: number, needed: number): void {
  if (free >= needed) return
  const mebibytes = (value: number) => (value / 2 ** 20).toFixed(1)
  throw new ExperimentError(
    'bad-output',
    `The disk that holds ${folder} is full: ${mebibytes(free)} MiB free, about ${mebibytes(needed)} MiB needed.`,
    'Free some space, or choose another folder with --out.',
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

/**
 * Adds a line to a file, and waits until the disk has it.
 * @throws ExperimentError `bad-output` when the disk is full or the file cannot be written.
 */
export async function appendLine(path: string, line: string): Promise<void> {
  try {
    await appendFile(path, `${line}\n`, { flush: true })
  } catch (error) {
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
    EFBIG: 'no file may be that long (ulimit -f)',
    ENOENT: 'no file or folder can be made there',
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
    'Mend that, or choose another folder with --out.',
    { cause: error },
  )
}
