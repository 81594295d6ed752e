import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readRun } from '../../src/report/run.js'
import { manifest } from '../experiment/records.js'
import { result } from './results.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'run-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const line = result()
const write = (name: string, content: string) => writeFileSync(join(folder, name), content)
const lines = (...values: object[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('')

test('a run is read; a line without an end is not yet one, and stays as it is', async () => {
  write('manifest.json', JSON.stringify(manifest))
  const text = `${lines(line, { ...line, index: 1 })}${JSON.stringify(line).slice(0, 30)}`
  write('results.jsonl', text)
  const run = await readRun(folder)
  expect(run).toEqual({ manifest, results: [line, { ...line, index: 1 }], trajectories: [] })
  expect(readFileSync(join(folder, 'results.jsonl'), 'utf8')).toBe(text)
})

test.each([
  ['no folder of a run', () => {}, /manifest\.json .*: it does not exist/],
  ['no results', () => write('manifest.json', JSON.stringify(manifest)), /it holds no finished picture/],
  [
    'no finished picture',
    () => {
      write('manifest.json', JSON.stringify(manifest))
      write('results.jsonl', '{"spec')
    },
    /it holds no finished picture/,
  ],
  [
    'another kind of line',
    () => {
      write('manifest.json', JSON.stringify(manifest))
      write('results.jsonl', lines(line, { ...line, tokens: 'many' }))
    },
    /results\.jsonl, line 2, .*tokens/,
  ],
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
    name: 'ExperimentError',
    message: expect.stringMatching(message),
    remedy: expect.stringContaining('folder'),
  })
})
