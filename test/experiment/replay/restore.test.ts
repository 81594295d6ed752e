import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { choosePolicies } from '../../../src/experiment/policy.js'
import { restorePolicies } from '../../../src/experiment/replay/replay.js'
import { toy } from '../../support/toy-model.js'
import { run } from '../records.js'

const folder = mkdtempSync(join(tmpdir(), 'restore-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A policy that takes its window from another one's file. */
const policy = (name: string, other: string) => `
import { above, chain, exactPrefix, maximal } from 'sjd2'
import { ${other}Window } from './${other}.js'
export const ${name}Window = 4
const pieces = { initialize: above, verify: maximal, prefix: exactPrefix, refine: maximal, denoise: null }
export default () => chain({ name: '${name}', window: ${other}Window, ...pieces })
`

test('policy files that import each other are restored each as itself', async () => {
  writeFileSync(join(folder, 'one.ts'), policy('one', 'two'))
  writeFileSync(join(folder, 'two.ts'), policy('two', 'one'))
  const chosen = await choosePolicies(['./one.ts', './two.ts'], folder)
  const rows = chosen.map(({ spec, source }) => ({ ...run.rows[0], spec, source, overrides: {} }))
  const restored = await restorePolicies({ rows })
  const { model } = toy({ layout: [-1, -1, 0], rowLength: 3 })
  expect(restored.map(({ create }) => create(model).name)).toEqual(['one', 'two'])
})
