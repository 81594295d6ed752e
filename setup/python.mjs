// Python: the user's own interpreter, or a virtual environment in .venv with the worker and a pinned torch.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isClone, venvFolder } from './installation.mjs'
import { ask } from './run.mjs'

/** The torch that set-up installs and that the figures were measured with. */
export const TORCH = 'torch==2.13.0'

/** The extra of pyproject.toml that all families need for generating. */
export const USE = 'hf'

/** The one that tests and checks need: all the others too. */
export const DEVELOPMENT = 'dev'

/** The oldest Python that the worker runs on. */
export const OLDEST_PYTHON = [3, 10]

/** @typedef {{ python: string, torch: string | null, worker: string | null, missing: string[], old?: string[] }} Probe */

/**
 * The interpreter to use: the one asked for, or that of the virtual environment that set-up makes.
 * @param {string} root
 * @param {string | undefined} wanted from --python
 * @param {NodeJS.ProcessEnv} env
 */
export function choosePython(root, wanted, env) {
  const own = wanted || env.SJD2_PYTHON
  return own ? { path: own, own: true } : { path: venvPython(root, env), own: false }
}

/**
 * @param {string} root
 * @param {NodeJS.ProcessEnv} env
 */
export const venvPython = (root, env) =>
  join(
    venvFolder(root, env),
    ...(process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']),
  )

/**
 * How pip installs the worker and what it needs: a clone's is linked, so that an edit of it holds.
 * @param {string} root
 */
export const pipFlags = (root) => (isClone(root) ? ['-e'] : [])

/**
 * The command that installs them into a Python of the user's.
 * @param {string} python
 * @param {string} root
 * @param {string} extra
 */
const workerCommand = (python, root, extra) =>
  [python, '-m pip install', ...pipFlags(root), `"${join(root, 'python_worker')}[${extra}]"`].join(' ')

/**
 * What an interpreter has, or null where it is none.
 * @param {string} python
 * @param {string} root
 * @param {NodeJS.ProcessEnv} env
 * @returns {Probe | null}
 */
export function probePython(python, root, env) {
  const answer = ask(python, [join(root, 'setup', 'probe.py')], { cwd: root, env })
  try {
    return answer === null ? null : JSON.parse(answer)
  } catch {
    return null
  }
}

/**
 * What an interpreter lacks to run the worker, and the command that adds it.
 * @param {string} python
 * @param {string} root
 * @param {NodeJS.ProcessEnv} env
 * @param {string} [extra] what else to install with the worker
 * @returns {{ message: string, remedy: string } | null}
 */
export function pythonProblem(python, root, env, extra = USE) {
  const probe = probePython(python, root, env)
  if (!probe)
    return { message: `${python} is not a Python that runs.`, remedy: 'Correct --python or SJD2_PYTHON.' }
  if (!isOldEnough(probe.python)) {
    return {
      message: `${python} is Python ${probe.python}; the worker needs ${OLDEST_PYTHON.join('.')} or newer.`,
      remedy: 'Choose another with --python or SJD2_PYTHON.',
    }
  }
  if (!probe.torch) {
    return {
      message: `${python} has no torch.`,
      remedy: `${python} -m pip install ${TORCH}   (or the build for your GPU)`,
    }
  }
  if (!probe.worker || probe.missing.length > 0) {
    const what = probe.worker ? probe.missing.join(', ') : 'the worker (sjd2-worker)'
    return {
      message: `${python} lacks ${what}.`,
      remedy: workerCommand(python, root, extra),
    }
  }
  return null
}

/**
 * What an interpreter has in a version that is too old, be it of the extra that the bundled model does without.
 * @param {string} python
 * @param {string} root
 * @param {NodeJS.ProcessEnv} env
 * @returns {{ message: string, remedy: string } | null}
 */
export function oldPackages(python, root, env) {
  const old = probePython(python, root, env)?.old ?? []
  if (old.length === 0) return null
  return {
    message: `${python} has ${old.join('; ')}.`,
    remedy: workerCommand(python, root, USE),
  }
}

/** @param {string} version such as 3.11.7 */
export function isOldEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_PYTHON
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
}

/**
 * The first Python on PATH that can run the worker.
 * @param {string} root
 * @param {NodeJS.ProcessEnv} env
 */
export function findBasePython(root, env) {
  const minors = [13, 12, 11, 14, 10].map((minor) => `python3.${minor}`)
  return ['python3', 'python', ...minors, 'py'].find((name) => {
    const version = ask(name, ['-c', 'import platform; print(platform.python_version())'], { cwd: root, env })
    return version !== null && isOldEnough(version)
  })
}

/**
 * @param {string} root
 * @param {NodeJS.ProcessEnv} env
 */
export const stampPath = (root, env) => join(venvFolder(root, env), 'sjd2-setup.json')

/**
 * Hash of all that decides what set-up puts into the virtual environment.
 * @param {string} root
 * @param {string} extra
 */
export const stampHash = (root, extra) =>
  createHash('sha256')
    .update(`${TORCH}\n${extra}\n`)
    .update(readFileSync(join(root, 'python_worker', 'pyproject.toml')))
    .digest('hex')

/**
 * Whether the virtual environment was set up from the present inputs, to its end, with this extra or with all.
 * @param {string} root
 * @param {NodeJS.ProcessEnv} env
 * @param {string} extra
 */
export function isVenvReady(root, env, extra) {
  const stamped = stampPath(root, env)
  if (!existsSync(venvPython(root, env)) || !existsSync(stamped)) return false
  const stamp = readFileSync(stamped, 'utf8')
  return [extra, DEVELOPMENT].some((one) => stamp.includes(stampHash(root, one)))
}
