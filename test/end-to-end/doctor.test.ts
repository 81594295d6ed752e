import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { sjd2 } from '../cli/sjd2.js'
import { python, tinyCheckpoint } from '../engine/tiny.js'
import { script } from '../faults/processes.js'

const checkpoint = tinyCheckpoint()
const folder = mkdtempSync(join(tmpdir(), 'doctor-'))

afterAll(() => {
  checkpoint.remove()
  rmSync(folder, { recursive: true })
})

const doctor = (...args: string[]) =>
  sjd2(['doctor', '--python', python, '--model', checkpoint.folder, ...args])

test('finds nothing where all is there, by going the whole way', async () => {
  const { stdout, exitCode } = await doctor()
  expect(stdout).toMatch(
    /^✓ node modules[\s\S]*^✓ python[\s\S]*^✓ worker and model: tiny on c\w+ \(\w+\), torch \d/m,
  )
  expect(stdout).toContain('Nothing is missing.')
  expect(exitCode).toBe(0)
})

test('says that the checkpoint is missing', async () => {
  const { stdout, exitCode } = await doctor('--json', '--model', join(folder, 'none'))
  const { ok, checks } = JSON.parse(stdout)
  expect(ok).toBe(false)
  expect(checks.map((check: { ok: boolean }) => check.ok)).toEqual([true, true, false])
  expect(checks[2]).toMatchObject({
    detail: expect.stringContaining('none'),
    remedy: expect.stringMatching(/./),
  })
  expect(exitCode).toBe(1)
})

test('says which command adds what a Python lacks, and looks no further', async () => {
  const bare = script(join(folder, 'bare'), `exec "${python}" -S "$@"`)
  const { stdout, exitCode } = await doctor('--python', bare)
  expect(stdout).toMatch(/✗ python: .*bare has no torch\.\n {4}.*bare -m pip install torch==/)
  expect(stdout).not.toContain('worker and model')
  expect(exitCode).toBe(1)
})

test('says which packages are too old, and what is needed', async () => {
  const probed = { python: '3.12.1', torch: '2.13.0', worker: '0.1.0', missing: [] }
  const old = JSON.stringify({ ...probed, old: ['transformers 4.44.2, and needs 5.20 or newer'] })
  const aged = script(
    join(folder, 'aged'),
    `case "$1" in *probe.py) echo '${old}' ;; *) exec "${python}" "$@" ;; esac`,
  )
  const { stdout, exitCode } = await doctor('--python', aged)
  expect(stdout).toMatch(/✓ worker and model/)
  expect(stdout).toMatch(
    /✗ versions: .*aged has transformers 4\.44\.2, and needs 5\.20 or newer\.\n {4}.*pip install -e/,
  )
  expect(exitCode).toBe(1)
})
