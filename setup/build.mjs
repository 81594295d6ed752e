// npm run build: compiles src/ into dist/, with types, and copies beside it what is not TypeScript.
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './installation.mjs'
import { script } from './script.mjs'
import { nodeStep, runSteps } from './steps.mjs'

const dist = join(root, 'dist')

await script(async () => {
  rmSync(dist, { recursive: true, force: true })
  await runSteps([nodeStep('tsc', 'typescript/bin/tsc', ['-p', 'tsconfig.build.json'])])
  cpSync(join(root, 'src'), dist, { recursive: true, filter: (file) => !/(\.ts|tsconfig\.json)$/.test(file) })
})
