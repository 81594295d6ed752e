/** The files of a checkpoint, by what is in them. */
import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

/**
 * SHA-256 of a checkpoint's files, by name; texts for people (*.md) and hidden files are left out. None for a
 * checkpoint that is named otherwise than by its folder: the worker's own hash must do.
 */
export async function hashCheckpoint(folder: string, signal?: AbortSignal): Promise<Record<string, string>> {
  if (!existsSync(folder)) return {}
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries
    .filter((entry) => !entry.isDirectory() && !/^\.|\.md$/.test(entry.name))
    .map(({ name }) => name)
    .sort()
  const hashes: Record<string, string> = {}
  for (const name of names) hashes[name] = await hashFile(join(folder, name), signal)
  return hashes
}

async function hashFile(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash, {
    ...(signal && { signal }),
  })
  return hash.digest('hex')
}
