// npm run check: types, lint and formatting, TypeScript's and Python's.
import { script, setUp } from './script.mjs'
import { nodeStep, runSteps } from './steps.mjs'

await script(async () => {
  const python = await setUp()
  const pythonStep = (/** @type {string} */ name, /** @type {string[]} */ args) => ({
    name,
    program: python,
    args: ['-m', ...args],
  })
  await runSteps([
    nodeStep('biome', '@biomejs/biome/bin/biome', ['ci', '--error-on-warnings']),
    nodeStep('tsc', 'typescript/bin/tsc', ['--noEmit']),
    pythonStep('ruff check', ['ruff', 'check', 'python_worker', 'setup']),
    pythonStep('ruff format', ['ruff', 'format', '--check', 'python_worker', 'setup']),
    pythonStep('mypy', [
      'mypy',
      '--config-file',
      'python_worker/pyproject.toml',
      'python_worker/sjd2_worker',
    ]),
  ])
})
