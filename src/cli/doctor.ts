import { isClone } from '../../setup/installation.mjs'
import { missingNodeModules } from '../../setup/node-modules.mjs'
import { projectRoot } from '../common/project.js'
import { type Check, type Finding, formatCheck, lookAtPython, lookAtVersions, toCheck } from './checks.js'
import { explain } from './failure.js'
import type { ModelOptions } from './model-options.js'
import type { JsonOption } from './options.js'
import { withSession } from './session.js'
import { createProgress } from './terminal.js'

export interface DoctorOptions extends JsonOption, Pick<ModelOptions, 'model' | 'python'> {}

/** `sjd2 doctor`: exit code 1 where something is missing. */
export async function doctor(options: DoctorOptions, signal: AbortSignal): Promise<void> {
  const checks: Check[] = []
  const check = async (name: string, find: () => Finding | Promise<Finding>) => {
    const finding = await Promise.resolve()
      .then(find)
      .catch((error: unknown) => explain(error))
    signal.throwIfAborted()
    checks.push(toCheck(name, finding))
    if (!options.json) console.log(formatCheck(checks.at(-1)!))
  }

  await check('node modules', nodeModules)
  await check('python', () => lookAtPython(options.python))
  if (checks.every(({ ok }) => ok)) await check('worker and model', () => worker(options, signal))
  const old = lookAtVersions(options.python)
  if (old) await check('versions', () => old)
  const ok = checks.every((entry) => entry.ok)
  if (options.json) console.log(JSON.stringify({ ok, checks }))
  else
    console.log(ok ? 'Nothing is missing.' : 'What is missing is marked ✗; mend the first, then ask again.')
  if (!ok) process.exitCode = 1
}

async function nodeModules(): Promise<Finding> {
  // those of an installed package are in the care of the user's npm
  const missing = isClone(projectRoot) ? missingNodeModules(projectRoot) : []
  if (missing.length > 0) {
    return { message: `${missing.length} missing or of another version.`, remedy: 'npm ci --ignore-scripts' }
  }
  try {
    await import('zeromq')
  } catch (error) {
    return { message: `zeromq does not load: ${(error as Error).message}`, remedy: 'npm rebuild zeromq' }
  }
  return `installed, for Node ${process.version}`
}

/** The whole way once: the worker starts, loads the checkpoint and answers. */
function worker(options: DoctorOptions, signal: AbortSignal): Promise<Finding> {
  const progress = createProgress(process.stderr)
  const settings = { ...options, device: 'auto', dtype: 'auto', imagesAtOnce: 1 } as const
  return withSession(settings, 1, { signal, progress }, async ({ hello }) => {
    progress.clear()
    const { model, device, dtype, torch, worker: release } = hello
    return `${model.name} on ${device} (${dtype}), torch ${torch}, worker ${release}`
  })
}
