import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { python } from '../engine/tiny.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

test('a program of one’s own opens a session, submits images with a policy of its own and reads their passes', async () => {
  const { stdout } = await execa(
    process.execPath,
    ['--import', './bin/typescript.mjs', 'examples/embed.ts'],
    { cwd: root, env: { SJD2_PYTHON: python } },
  )
  const passes = stdout.match(/^pass \d+: \d+ of 576 tokens$/gm) ?? []
  expect(passes.length).toBeGreaterThan(20)
  expect(passes.at(-1)).toMatch(/576 of 576/)
  expect(stdout).toContain('the other one, half way: 96×96')
  expect(stdout).toMatch(/the other one took \d+ passes: 27648 bytes/)
})
