import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { sjd2 } from '../cli/sjd2.js'
import { tinyCheckpoint } from '../engine/tiny.js'
import { pictureIn } from '../support/pictures.js'

const checkpoint = tinyCheckpoint()
const folder = mkdtempSync(join(tmpdir(), 'own-parameters-'))
const typical = fileURLToPath(new URL('../../examples/typical.ts', import.meta.url))
afterAll(() => {
  checkpoint.remove()
  rmSync(folder, { recursive: true })
})

const manifestIn = (out: string) => JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8'))

test('a file’s own parameter is given, inspected and replayed', async () => {
  const out = join(folder, 'pictures')
  const policy = `${typical}:epsilon=0.4,window=5`
  const made = await sjd2(['generate', 'red', '--policy', policy, '--model', checkpoint.folder, '--out', out])
  expect(made.exitCode, made.stderr).toBe(0)
  expect(manifestIn(out).runs[0].rows[0].overrides).toEqual({ epsilon: 0.4, window: 5 })

  const { stdout } = await sjd2(['inspect', pictureIn(out, 'red-s0-0')])
  expect(stdout).toContain(`sjd2 generate --policy=${policy} `)

  const again = await sjd2(['replay', out, '--json'])
  expect(again.exitCode, again.stderr).toBe(0)
  expect(JSON.parse(again.stdout)).toMatchObject({ identical: true, changes: [] })
})

test('scd is measured once beside mc-sjd, and recorded by that name', async () => {
  const out = join(folder, 'compared')
  const scenes = ['--scenes', '1', '--guidance', '1', '--model', checkpoint.folder, '--out', out]
  const made = await sjd2(['compare', 'scd:window=4', 'mc-sjd:window=4', 'autoregressive', ...scenes])
  expect(made.exitCode, made.stderr).toBe(0)
  const [row, ...others] = manifestIn(out).runs[0].rows
  expect(row).toMatchObject({ spec: 'mc-sjd:window=4', policy: 'mc-sjd', source: { name: 'mc-sjd' } })
  expect(others).toHaveLength(1)
})
