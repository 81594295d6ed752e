// npm start: sets up what is missing, then runs the sjd2 command with the arguments given.

import { resolve } from 'node:path'
import { root } from './installation.mjs'
import { log, script, setUp } from './script.mjs'
import { setUpNodeModules } from './setup.mjs'

const args = process.argv.slice(2)

// npm runs scripts in the project's folder: paths are meant from where the user is
if (process.env.npm_lifecycle_event === 'start' && process.env.INIT_CWD) process.chdir(process.env.INIT_CWD)

/** Commands that answer without Python: doctor is there to say what is missing. */
const needsNoPython = args.some((arg) => ['doctor', 'help', '--help', '-h', '--version', '-V'].includes(arg))

await script(async () => {
  if (needsNoPython) await setUpNodeModules({ root, env: process.env, log })
  else await setUp({ python: pythonOption() })
  await import('../bin/sjd2.mjs')
})

/** The value of --python, which the command itself reads again. */
function pythonOption() {
  const at = args.findLastIndex((arg) => arg === '--python' || arg.startsWith('--python='))
  const python = at < 0 ? undefined : (args[at]?.split('=')[1] ?? args[at + 1])
  return python?.includes('/') ? resolve(python) : python
}
