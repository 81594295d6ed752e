// Running other programs, with nothing left behind when set-up is interrupted.
import { spawn, spawnSync } from 'node:child_process'

/** What a user must do before set-up can go on. */
export class SetupError extends Error {
  /**
   * @param {string} message what happened and why
   * @param {string} remedy the command or step that mends it
   * @param {number} exitCode
   */
  constructor(message, remedy, exitCode = 1) {
    super(message)
    this.remedy = remedy
    this.exitCode = exitCode
  }
}

/** @typedef {{ cwd: string, env: NodeJS.ProcessEnv }} Place */

const SIGNALS = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])

/**
 * Runs a program whose output goes to standard error, and waits for it. Signals are passed on to it.
 * @param {string} program
 * @param {string[]} args
 * @param {Place & { stdout?: 'inherit' }} place
 * @returns {Promise<{ code: number, interrupted: boolean }>}
 */
export function run(program, args, { cwd, env, stdout }) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', stdout ?? 2, 2] })
    let interrupted = false
    const pass = (/** @type {NodeJS.Signals} */ signal) => {
      interrupted = true
      child.kill(signal)
    }
    for (const signal of SIGNALS) process.on(signal, pass)
    const settle = () => {
      for (const signal of SIGNALS) process.off(signal, pass)
    }
    child.once('error', (error) => {
      settle()
      reject(
        new SetupError(
          `${program} did not start: ${error.message}`,
          `Install ${program} and run the same command again.`,
        ),
      )
    })
    child.once('close', (code) => {
      settle()
      resolve({ code: code ?? 1, interrupted })
    })
  })
}

/**
 * Runs a short program and gives its standard output, or null where it cannot be started or fails.
 * @param {string} program
 * @param {string[]} args
 * @param {Place} place
 */
export function ask(program, args, { cwd, env }) {
  const { status, stdout } = spawnSync(program, args, { cwd, env, encoding: 'utf8', timeout: 120_000 })
  return status === 0 ? stdout.trim() : null
}
