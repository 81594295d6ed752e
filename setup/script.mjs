// What the npm scripts share: set-up, and an exit code for whatever goes wrong.
import { root } from './installation.mjs'
import { SetupError } from './run.mjs'
import { setUpNodeModules, setUpPython } from './setup.mjs'

/** @param {string} line */
export const log = (line) => console.error(line)

/**
 * @param {Pick<import('./setup.mjs').Setting, 'python' | 'extra'>} [choice]
 * @returns {Promise<string>} the interpreter to use
 */
export async function setUp(choice) {
  const setting = { root, env: process.env, log, ...choice }
  await setUpNodeModules(setting)
  return setUpPython(setting)
}

/**
 * Runs a script's body; what it throws becomes a message and an exit code.
 * @param {() => Promise<void>} body
 */
export async function script(body) {
  try {
    await body()
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    log(`${error.message}\n  What to do: ${error.remedy}`)
    process.exitCode = error.exitCode
  }
}
