// Set-up: node modules, then Python. Each step is skipped where it is done already, so that an interrupted set-up goes
// on where it was. Everything is said on standard error: standard output belongs to the program that runs afterwards.
import { renameSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { venvFolder } from './installation.mjs'
import { missingNodeModules } from './node-modules.mjs'
import {
  choosePython,
  findBasePython,
  isVenvReady,
  OLDEST_PYTHON,
  pipFlags,
  pythonProblem,
  stampHash,
  stampPath,
  TORCH,
  USE,
  venvPython,
} from './python.mjs'
import { ask, run, SetupError } from './run.mjs'

/**
 * @typedef {object} Setting
 * @property {string} root the project's folder
 * @property {NodeJS.ProcessEnv} env
 * @property {string | undefined} [python] the user's own interpreter, from --python
 * @property {string} [extra] of pyproject.toml, what .venv is to have besides the worker
 * @property {(line: string) => void} log
 */

/**
 * @param {Setting} setting
 * @throws {SetupError}
 */
export async function setUpNodeModules({ root, env, log }) {
  const missing = missingNodeModules(root)
  if (missing.length === 0) return
  log(`Set-up: installing node modules (${missing.length} missing or changed; about half a minute, once) …`)
  // npm names itself in npm_execpath when this runs as one of its scripts; no dependency needs an install script
  const [program, ...before] = env.npm_execpath ? [process.execPath, env.npm_execpath] : ['npm']
  await step(
    program,
    [...before, 'ci', '--ignore-scripts', '--no-audit', '--no-fund'],
    { cwd: root, env },
    'npm could not install the node modules (its message is above)',
  )
}

/**
 * @param {Setting} setting
 * @returns {Promise<string>} the interpreter to use
 * @throws {SetupError}
 */
export async function setUpPython({ root, env, python, log, extra = USE }) {
  const chosen = choosePython(root, python, env)
  if (chosen.own) {
    const problem = pythonProblem(chosen.path, root, env, extra) // nothing is ever installed into it
    if (problem) throw new SetupError(problem.message, problem.remedy)
    return chosen.path
  }
  if (isVenvReady(root, env, extra)) return chosen.path
  const place = { cwd: root, env }
  const folder = venvFolder(root, env)
  const venv = venvPython(root, env)
  log(
    `Set-up: making a Python environment in ${folder}, once. A Python with torch of your own: SJD2_PYTHON=/its/python`,
  )
  if (ask(venv, ['-m', 'pip', '--version'], place) === null) {
    log('  1 of 3: virtual environment (seconds) …')
    const base = findBasePython(root, env)
    if (!base) {
      throw new SetupError(
        `No Python ${OLDEST_PYTHON.join('.')} or newer was found on PATH.`,
        'Install Python (python.org, or from your system: apt install python3 python3-venv), or name one that has torch: SJD2_PYTHON=/path/to/python',
      )
    }
    await step(
      base,
      ['-m', 'venv', relative(root, folder)],
      place,
      `${base} could not make a virtual environment (its message is above; on Debian and Ubuntu it needs python3-venv)`,
    )
  }
  const pip = ['-m', 'pip', 'install', '--disable-pip-version-check']
  log(`  2 of 3: ${TORCH} (from 200 MB to 3 GB by platform: one to fifteen minutes) …`)
  const torchFailure = `pip could not install ${TORCH} (its message is above)`
  await step(venv, [...pip, TORCH], place, torchFailure)
  if (ask(venv, ['-c', 'import torch'], place) === null) {
    log('  torch is there but does not import (an interrupted installation?): installing it once more …')
    await step(venv, [...pip, '--force-reinstall', '--no-deps', TORCH], place, torchFailure)
  }
  log('  3 of 3: the worker and its dependencies (about a minute) …')
  await step(
    venv,
    [...pip, ...pipFlags(root), `./python_worker[${extra}]`],
    place,
    'pip could not install the worker',
  )
  const stamp = stampPath(root, env)
  writeFileSync(`${stamp}.tmp`, `${JSON.stringify({ inputs: stampHash(root, extra) })}\n`)
  renameSync(`${stamp}.tmp`, stamp)
  log('Set-up is complete.')
  return chosen.path
}

/**
 * @param {string} program
 * @param {string[]} args
 * @param {import('./run.mjs').Place} place
 * @param {string} failure
 */
async function step(program, args, place, failure) {
  const { code, interrupted } = await run(program, args, place)
  if (interrupted)
    throw new SetupError('Set-up was interrupted.', 'Run the same command again: it goes on from here.', 130)
  if (code !== 0)
    throw new SetupError(
      `${failure}.`,
      'Mend what it says and run the same command again: it goes on from here.',
    )
}
