// Runs several checks one after the other: all of them, whatever the earlier ones say.
import { root } from './installation.mjs'
import { run, SetupError } from './run.mjs'
import { log } from './script.mjs'

/** @typedef {{ name: string, program: string, args: string[] }} Step */

/**
 * @param {Step[]} steps
 * @throws {SetupError} naming those that failed
 */
export async function runSteps(steps) {
  /** @type {string[]} */
  const failed = []
  for (const { name, program, args } of steps) {
    log(`\n── ${name}`)
    const { code, interrupted } = await run(program, args, { cwd: root, env: process.env, stdout: 'inherit' })
    if (interrupted) throw new SetupError('Interrupted.', 'Run the same command again.', 130)
    if (code !== 0) failed.push(name)
  }
  if (failed.length > 0) throw new SetupError(`Failed: ${failed.join(', ')}.`, 'See the messages above.')
}

/**
 * A command that a node module brings.
 * @param {string} name
 * @param {string} file within node_modules
 * @param {string[]} args
 * @returns {Step}
 */
export const nodeStep = (name, file, args) => ({
  name,
  program: process.execPath,
  args: [`node_modules/${file}`, ...args],
})
