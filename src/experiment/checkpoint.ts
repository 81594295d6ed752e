/** The files of a checkpoint, by what is in them. */
import { createHash } from 'node:crypto'
import { type BigIntStats, createReadStream, existsSync } from 'node:fs'
import { mkdir, readdir, readFile, realpath, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { writeWhole } from './output.js'

/** Where hashes of large files are remembered: reading 14 GB for each run takes longer than decoding. */
export interface Memory {
  readonly folder: string
  /** Bytes; smaller files are read each time. */
  readonly from: number
}

const usual = (): Memory => ({
  folder: join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sjd2', 'hashes'),
  from: 2 ** 26,
})

/**
 * SHA-256 of a checkpoint's files, by name; texts for people (*.md) and hidden files are left out. None for a
 * checkpoint that is named otherwise than by its folder: the worker's own hash must do.
 */
export async function hashCheckpoint(
  folder: string,
  { memory = usual(), signal }: { memory?: Memory; signal?: AbortSignal } = {},
): Promise<Record<string, string>> {
  if (!existsSync(folder)) return {}
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries
    .filter((entry) => !entry.isDirectory() && !/^\.|\.md$/.test(entry.name))
    .map(({ name }) => name)
    .sort()
  const hashes: Record<string, string> = {}
  for (const name of names) hashes[name] = await hashOf(join(folder, name), memory, signal)
  return hashes
}

const remembered = z.strictObject({ file: z.string(), sha256: z.string().length(64) })

/** A large file is read anew only where it is another than it was, by size, inode and times of change. */
async function hashOf(
  path: string,
  { folder, from }: Memory,
  signal: AbortSignal | undefined,
): Promise<string> {
  const file = await stat(path, { bigint: true })
  if (file.size < from) return hashFile(path, signal)
  const real = await realpath(path)
  const key = sameness(real, file)
  const place = join(folder, `${createHash('sha256').update(real).digest('hex')}.json`)
  const known = await readFile(place, 'utf8')
    .then((text) => remembered.parse(JSON.parse(text)))
    .catch(() => undefined) // nothing yet, or nothing whole
  if (known?.file === key) return known.sha256
  const sha256 = await hashFile(path, signal)
  await mkdir(folder, { recursive: true })
    .then(() => writeWhole(place, JSON.stringify({ file: key, sha256 })))
    .catch(() => undefined) // without a place for it, the next run reads the file again
  return sha256
}

const sameness = (path: string, { size, ino, dev, mtimeNs, ctimeNs }: BigIntStats): string =>
  [path, size, dev, ino, mtimeNs, ctimeNs].join(' ')

async function hashFile(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash, {
    ...(signal && { signal }),
  })
  return hash.digest('hex')
}
