// This installation of sjd2. A clone runs its sources in src/; a package that npm installed has none and runs dist/,
// which `npm run build` makes. Whatever differs between the two asks here.
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder that holds package.json. */
export const root = fileURLToPath(new URL('..', import.meta.url))

/** The checkpoint that comes with sjd2. */
export const bundledCheckpoint = join(root, 'checkpoints', 'scenes')

/** @type {string} */
export const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version

/** @param {string} folder that holds package.json */
export const isClone = (folder) => existsSync(join(folder, 'src'))

/**
 * The virtual environment that set-up makes. A clone keeps it beside its sources. npm deletes what is written into an
 * installed package at the next installation, so that of installed packages belongs to the user.
 * @param {string} folder that holds package.json
 * @param {NodeJS.ProcessEnv} env
 */
export const venvFolder = (folder, env) =>
  isClone(folder)
    ? join(folder, '.venv')
    : join(env.XDG_DATA_HOME || join(env.HOME || homedir(), '.local', 'share'), 'sjd2', 'venv')
