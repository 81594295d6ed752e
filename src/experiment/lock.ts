/** One run at a time writes into a folder. */
import { type FileHandle, open, readFile, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { tryLock } from 'fs-native-extensions'
import { z } from 'zod'
import { ExperimentError } from './error.js'

/** Who holds a folder, as the lock's file says it. */
const holderSchema = z.object({ pid: z.int(), host: z.string(), since: z.iso.datetime() })

/** What a file system says that has no locks. */
const NO_LOCKS = ['ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'ENOLCK', 'EINVAL']

/**
 * Does the work while nobody else may do any in the folder, which must be there. The lock is the operating system's, on
 * `.lock` in it (fs-native-extensions: small, kept up, its binaries come with it): it goes with the process, however
 * that ends, so that nothing is ever left over to be recovered. Where the file system has no locks, there is none.
 * @throws ExperimentError `bad-output` naming who holds the folder; whatever `work` throws.
 */
export async function withLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, '.lock')
  const file = await lock(folder, path)
  try {
    await file.truncate()
    await file.write(
      `${JSON.stringify({ pid: process.pid, host: hostname(), since: new Date().toISOString() })}\n`,
    )
    return await work()
  } finally {
    await rm(path, { force: true }).catch(() => undefined) // while it is held, or it might be somebody else's
    await file.close()
  }
}

/** Opens the file and locks it. What is locked may have been taken away by its last holder: then again. */
async function lock(folder: string, path: string): Promise<FileHandle> {
  for (;;) {
    const file = await open(path, 'a+')
    try {
      if (!granted(file)) throw await heldBy(folder, path)
      const [locked, there] = await Promise.all([file.stat(), stat(path).catch(() => null)])
      if (locked.ino === there?.ino) return file
    } catch (error) {
      await file.close()
      throw error
    }
    await file.close()
  }
}

function granted({ fd }: FileHandle): boolean {
  try {
    return tryLock(fd)
  } catch (error) {
    if (NO_LOCKS.includes((error as NodeJS.ErrnoException).code ?? '')) return true
    throw error
  }
}

async function heldBy(folder: string, path: string): Promise<ExperimentError> {
  const holder = holderIn(await readFile(path, 'utf8').catch(() => ''))
  const who = holder ? ` (process ${holder.pid} on ${holder.host}, since ${holder.since})` : ''
  return new ExperimentError(
    'bad-output',
    `Another sjd2 is writing into ${folder}${who}.`,
    'Wait until it is done or stop it, or choose another folder with --out.',
  )
}

/** Null where the holder has not written it yet. */
function holderIn(text: string): z.infer<typeof holderSchema> | null {
  try {
    return holderSchema.parse(JSON.parse(text))
  } catch {
    return null
  }
}
