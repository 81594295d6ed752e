/** Facts about this installation of sjd2. */
import { execFileSync } from 'node:child_process'
import { isClone, root, version } from '../../setup/installation.mjs'

export { root as projectRoot, version }

/**
 * The project's commit, and whether files were changed since; null where this is no clone: git would speak of the
 * repository of a user whose node_modules hold sjd2.
 */
export function gitState(): { commit: string; changed: boolean } | null {
  if (!isClone(root)) return null
  const git = (...args: string[]) =>
    execFileSync('git', args, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  try {
    return { commit: git('rev-parse', 'HEAD'), changed: git('status', '--porcelain') !== '' }
  } catch {
    return null
  }
}
