import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { PageData } from '../../src/report/page.js'
import { type Decoder, type Run, writeReport } from '../../src/report/report.js'
import { manifest, run as recorded } from '../experiment/records.js'
import { result } from './results.js'

const folder = mkdtempSync(join(tmpdir(), 'page-'))
const file = join(folder, 'report.html')
afterAll(() => rmSync(folder, { recursive: true }))

const hostile = '</script><script src="https://example.org/x.js">&'
const run: Run = {
  manifest: {
    ...manifest,
    runs: [
      {
        ...recorded,
        environment: {
          ...recorded.environment,
          model: { ...recorded.environment.model, name: hostile, hash: 'abc' },
        },
      },
    ],
  },
  results: [result({ spec: hostile, prompt: hostile }), result({ spec: 'jacobi', exact: false, topK: 5 })],
  trajectories: [],
}
const hooks = { onPicture: () => {} }

test('a page holds all that it shows, and no text of a run becomes a part of it', async () => {
  await writeReport(file, run, null, hooks)
  const html = readFileSync(file, 'utf8')
  expect(html.match(/<script/g)).toHaveLength(2)
  expect(html.match(/<\/script/g)).toHaveLength(2)
  expect(html).not.toMatch(/<[^>]+ (src|href)="(?!data:)/)
  expect(html).toContain("default-src 'none'")
  const [, json] = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(html)!
  const page: PageData = JSON.parse(json)
  expect(page.settings.map(({ label, rows }) => [label, rows[0].spec])).toEqual([
    ['guidance 3', hostile],
    ['guidance 3, top-k 5', 'jacobi'],
  ])
  expect(page.viewer).toBeNull()
  expect(html).toMatch(/<h4>@observablehq\/plot<\/h4><pre>Copyright .*Observable/)
  expect(html).toContain('<caption>guidance 3, top-k 5</caption>')
  expect(html).toContain('<span class="mark relaxed">relaxed</span>')
})

test('another checkpoint than the run’s decodes no picture of it', async () => {
  const decoder: Decoder = {
    card: { name: 'other', hash: 'def' },
    model: { layout: Int32Array.of(-1), image: { first: 0 } },
    decode: () => Promise.reject(new Error('It was asked.')),
  }
  await expect(writeReport(file, run, decoder, hooks)).rejects.toMatchObject({
    code: 'bad-option',
    message: expect.stringContaining('not by other'),
  })
})
