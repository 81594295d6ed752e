/** Facts about this installation of sjd2. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The folder that holds package.json. */
export const projectRoot = fileURLToPath(new URL('../..', import.meta.url))

export const version: string = JSON.parse(readFileSync(`${projectRoot}/package.json`, 'utf8')).version

/** The project's commit, and whether files were changed since; null where this is no git work tree. */
export function gitState(): { commit: string; changed: boolean } | null {
  const git = (...args: string[]) =>
    execFileSync('git', args, {
      cwd: projectRoot,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  try {
    return { commit: git('rev-parse', 'HEAD'), changed: git('status', '--porcelain') !== '' }
  } catch {
    return null
  }
}
