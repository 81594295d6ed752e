/** Where code that a run uses comes from, so that it can be run again. */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { version } from '../common/project.js'
import type { SourceFiles } from '../user-modules/index.js'

const path = z
  .string()
  .regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$))(?!.*[\\:]).+$/, 'it must be a path below the folder.')

export const sourceSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('built-in'),
    name: z.string(),
    /** sjd2's; the manifest's git state says more. */
    version: z.string(),
  }),
  z.strictObject({
    kind: z.literal('file'),
    entry: path,
    /** The file and those that it imports, whole. */
    files: z.record(path, z.string()),
    /** SHA-256 over their names and texts. */
    hash: z.string(),
  }),
  z.strictObject({ kind: z.literal('command'), command: z.array(z.string()).min(1) }),
])

export type Source = z.infer<typeof sourceSchema>

export const builtIn = (name: string): Source => ({ kind: 'built-in', name, version })

export const ofFiles = ({ entry, files }: SourceFiles): Source => ({
  kind: 'file',
  entry,
  files,
  hash: hashOf(files),
})

/** What tells a user's file from what it was before; null for what is no file. */
export const hashOfSource = (source: Source): string | null => (source.kind === 'file' ? source.hash : null)

/** SHA-256 over the names and texts of files. */
export function hashOf(files: Readonly<Record<string, string>>): string {
  const hash = createHash('sha256')
  for (const [name, text] of Object.entries(files)) hash.update(`${name}\0${text.length}\0${text}`)
  return hash.digest('hex')
}

/** Writes files into a folder that lasts as long as `work`, which is given the entry's path. */
export async function withFiles<T>(
  { entry, files }: SourceFiles,
  work: (path: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'sjd2-'))
  try {
    for (const [name, text] of Object.entries(files)) {
      const file = join(folder, name)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, text)
    }
    return await work(join(folder, entry))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
