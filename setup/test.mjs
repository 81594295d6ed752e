// npm test: sets up what is missing, then runs all tests, TypeScript's and Python's.
import { DEVELOPMENT } from './python.mjs'
import { script, setUp } from './script.mjs'
import { nodeStep, runSteps } from './steps.mjs'

await script(async () => {
  const python = await setUp({ extra: DEVELOPMENT })
  await runSteps([
    nodeStep('vitest', 'vitest/vitest.mjs', ['run', ...process.argv.slice(2)]),
    { name: 'pytest', program: python, args: ['-m', 'pytest', 'python_worker'] },
  ])
})
