// Node modules: are those of package-lock.json installed?
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** @typedef {Record<string, { version?: string, optional?: boolean }>} Packages */

/**
 * Packages that package-lock.json asks for and node_modules lacks, or has in another version. npm writes what it
 * installed into node_modules/.package-lock.json at its very end, so an interrupted installation counts as none.
 * @param {string} root
 * @returns {string[]}
 */
export function missingNodeModules(root) {
  const wanted = packages(join(root, 'package-lock.json'))
  /** @type {Packages} */
  let installed = {}
  try {
    installed = packages(join(root, 'node_modules', '.package-lock.json'))
  } catch {
    // nothing is installed
  }
  return Object.keys(wanted).filter(
    (name) => name !== '' && !wanted[name]?.optional && installed[name]?.version !== wanted[name]?.version,
  )
}

/**
 * @param {string} lockfile
 * @returns {Packages}
 */
const packages = (lockfile) => JSON.parse(readFileSync(lockfile, 'utf8')).packages
