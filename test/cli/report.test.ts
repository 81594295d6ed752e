import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { report } from '../../src/cli/report.js'
import { manifest, run } from '../experiment/records.js'
import { result } from '../report/results.js'

const folder = mkdtempSync(join(tmpdir(), 'report-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('an adapter that only the folder names is not run', async () => {
  const adapter = join(folder, 'adapter.py')
  const ran = join(folder, 'ran')
  writeFileSync(adapter, `open(${JSON.stringify(ran)}, 'w')`)
  const checkpoint = { ...run.checkpoint, model: folder, adapter }
  writeFileSync(
    join(folder, 'manifest.json'),
    JSON.stringify({ ...manifest, runs: [{ ...run, checkpoint }] }),
  )
  writeFileSync(join(folder, 'results.jsonl'), `${JSON.stringify(result())}\n`)
  mkdirSync(join(folder, 'trajectories'))
  const { spec, guidance, prompt, seed, index } = result()
  const trajectory = {
    spec,
    guidance,
    prompt,
    seed,
    index,
    grid: { rows: 1, columns: 1 },
    tokens: [0],
    passes: [],
  }
  writeFileSync(join(folder, 'trajectories', 'one.json'), JSON.stringify(trajectory))

  const options = { device: 'cpu', dtype: 'f32' } as const
  await expect(report(folder, options, new AbortController().signal)).rejects.toMatchObject({
    code: 'bad-option',
    remedy: expect.stringContaining(`--adapter ${adapter}`),
  })
  expect(readdirSync(folder)).not.toContain('ran')
})

test('a place where no report can be written is told before any work', async () => {
  const options = {
    device: 'cpu',
    dtype: 'f32',
    out: '/proc/none/report.html',
    python: '/no/python',
  } as const
  await expect(report(folder, options, new AbortController().signal)).rejects.toMatchObject({
    code: 'bad-output',
    message: expect.stringContaining('Cannot write /proc/none'),
  })
})
