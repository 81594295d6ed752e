// npm run check: types, lint and formatting, TypeScript's and Python's.
import { DEVELOPMENT } from './python.mjs'
import { script, setUp } from './script.mjs'
import { nodeStep, runSteps } from './steps.mjs'

const SETTINGS = ['--config', 'python_worker/pyproject.toml']
const RUFF_FOLDERS = ['python_worker', 'setup', 'protocol', 'examples', 'bench']

await script(async () => {
  const program = await setUp({ extra: DEVELOPMENT })
  const pythonStep = (/** @type {string} */ name, /** @type {string[]} */ args) => ({
    name,
    program,
    args: ['-m', ...args],
  })
  await runSteps([
    nodeStep('biome', '@biomejs/biome/bin/biome', ['ci', '--error-on-warnings']),
    nodeStep('tsc', 'typescript/bin/tsc', ['--noEmit']),
    nodeStep('tsc, for the browser', 'typescript/bin/tsc', ['--noEmit', '-p', 'src/report/browser']),
    nodeStep('imports', 'dependency-cruiser/bin/dependency-cruise.mjs', ['src']),
    pythonStep('ruff check', ['ruff', 'check', ...SETTINGS, ...RUFF_FOLDERS]),
    pythonStep('ruff format', ['ruff', 'format', '--check', ...SETTINGS, ...RUFF_FOLDERS]),
    pythonStep('mypy', [
      'mypy',
      '--config-file=python_worker/pyproject.toml',
      'python_worker/sjd2_worker',
      'python_worker/tests',
    ]),
  ])
})
