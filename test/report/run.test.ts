import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readRun } from '../../src/report/run.js'
import { environment } from './results.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'run-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const manifest = { environment }
/** What the first comparisons kept, before passes and times were. */
const line = {
  spec: 'sjd',
  policy: 'sjd',
  exact: true,
  parameters: { init: 'above' },
  guidance: 3,
  prompt: 'a red circle',
  seed: 0,
  index: 0,
  passes: 2,
  compression: 4,
  wall: 1,
  facts: 1,
  right: true,
}
const write = (name: string, content: string) => writeFileSync(join(folder, name), content)
const lines = (...values: object[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('')

test('a run is read, with what older ones lack left open and a line that was cut off left out', async () => {
  write('manifest.json', JSON.stringify(manifest))
  write(
    'results.jsonl',
    `${lines(line, { ...line, index: 1, accepted: [4, 4] })}${JSON.stringify(line).slice(0, 30)}`,
  )
  const run = await readRun(folder)
  expect(run.results).toHaveLength(2)
  expect(run.results[0]).toMatchObject({ topK: 0, temperature: 1, right: true })
  expect(run.results[0].accepted).toBeUndefined()
  expect(run.results[1].accepted).toEqual([4, 4])
  expect(run.trajectories).toEqual([])
})

test.each([
  ['no folder of a run', () => {}, /results\.jsonl: it does not exist/],
  ['no finished picture', () => write('results.jsonl', '{"spec'), /it holds no finished picture/],
  [
    'another kind of line',
    () => write('results.jsonl', lines(line, { passes: 3 })),
    /results\.jsonl, line 2: .*spec/,
  ],
  ['no manifest', () => write('results.jsonl', lines(line)), /manifest\.json: it does not exist/],
  [
    'a damaged trajectory',
    () => {
      write('results.jsonl', lines(line))
      write('manifest.json', JSON.stringify(manifest))
      mkdirSync(join(folder, 'trajectories'))
      write('trajectories/sjd-0.json', '{"spec":"sjd"}')
    },
    /sjd-0\.json: .*guidance/,
  ],
])('%s is refused by name', async (_, prepare, message) => {
  prepare()
  await expect(readRun(folder)).rejects.toMatchObject({
    code: 'bad-output',
    message: expect.stringMatching(message),
    remedy: expect.stringContaining('sjd2 compare'),
  })
})
