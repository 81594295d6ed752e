import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { MEASURED } from '../../src/experiment/record.js'
import { sjd2 } from '../cli/sjd2.js'
import { tinyCheckpoint } from '../engine/tiny.js'

const checkpoint = tinyCheckpoint()
const folder = mkdtempSync(join(tmpdir(), 'compare-'))
const out = join(folder, 'out')
const prompts = join(folder, 'prompts.txt')
writeFileSync(prompts, ['red circle', 'blue square', 'green circle'].join('\n'))

afterAll(() => {
  checkpoint.remove()
  rmSync(folder, { recursive: true })
})

const compare = (...args: string[]) =>
  sjd2(['compare', ...args, '--model', checkpoint.folder, '--prompts', prompts, '--out', out])

const results = () => readFileSync(join(out, 'results.jsonl'), 'utf8')

test('measures policies on the same prompts, goes on where it stopped, and refuses to mix', async () => {
  const policies = ['autoregressive', 'mc-sjd:window=6,coupling=gumbel', 'sjd2-paper:window=6']
  const first = await compare(...policies, '--guidance', '1', '3', '--json')
  expect(first.exitCode, first.stderr).toBe(0)
  const { rows, prompts: count, environment } = JSON.parse(first.stdout)
  expect(count).toBe(3)
  expect(environment.model.name).toBe('tiny')
  expect(rows).toHaveLength(6)
  for (const row of rows) {
    expect(row.pictures).toBe(3)
    expect(row.compression.low).toBeLessThanOrEqual(row.compression.mean)
    expect(row.compression.high).toBeGreaterThanOrEqual(row.compression.mean)
    expect(row.exact).toBe(row.policy !== 'sjd2-paper')
    expect(row.facts).toBeNull() // the tiny checkpoint draws no scenes
  }
  const [sequential, coupled] = rows
  expect(sequential).toMatchObject({
    guidance: 1,
    passes: 24,
    compression: { mean: 1, low: 1, high: 1 },
    timeGain: 1,
  })
  expect(coupled.compression.mean).toBeGreaterThan(1)

  // as a kill leaves it: two images are missing, and a third is half-written
  const lines = results().trimEnd().split('\n')
  expect(lines).toHaveLength(18)
  const kept = lines.slice(0, 15)
  writeFileSync(join(out, 'results.jsonl'), `${kept.join('\n')}\n${lines[15].slice(0, 40)}`)
  const second = await compare(...policies, '--guidance', '1', '3', '--markdown')
  expect(second.exitCode, second.stderr).toBe(0)
  expect(second.stdout).toMatch(/^\| sjd2-paper:window=6 \| relaxed \| 3 \| 3 \|/m)
  const again = results().trimEnd().split('\n')
  expect(again.slice(0, 15)).toEqual(kept)
  const timeless = (line: string) => {
    const costs = Object.fromEntries(MEASURED.map((name) => [name, 0]))
    return { ...JSON.parse(line), ...costs }
  }
  expect(again.slice(15).map(timeless)).toEqual(lines.slice(15).map(timeless))

  const other = await compare(...policies, '--temperature', '2')
  expect(other).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/holds results of another sampling/),
  })
  appendFileSync(join(out, 'results.jsonl'), '{"passes":"many"}\n')
  const damaged = await compare(...policies)
  expect(damaged).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/results\.jsonl, line 19, is no result/),
  })
})
