import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** The path of the only picture of that name, whose hash depends on the checkpoint and so on. */
export function pictureIn(folder: string, name: string): string {
  const [file, ...others] = readdirSync(folder).filter(
    (file) => file.replace(/-[0-9a-f]{12}\.png$/, '') === name,
  )
  if (file === undefined || others.length > 0)
    throw new Error(`Not one ${name} in ${folder}, but ${[file, ...others]}.`)
  return join(folder, file)
}
