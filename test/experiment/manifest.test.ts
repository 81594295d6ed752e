import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type NewRun, openFolder } from '../../src/experiment/folder.js'
import { type ManifestRun, manifestFile, readManifest, writeManifest } from '../../src/experiment/manifest.js'
import {
  appendResult,
  dropResults,
  keyOf,
  mendResults,
  readResults,
  sortResults,
} from '../../src/experiment/results.js'
import { manifest, recordOf, run } from './records.js'

const root = mkdtempSync(join(tmpdir(), 'manifest-'))
afterAll(() => rmSync(root, { recursive: true }))
let folders = 0
const fresh = () => mkdtempSync(join(root, `${folders++}-`))

const [row] = run.rows
const mine: ManifestRun['rows'][number] = {
  ...row,
  id: 'mine-ts-g3',
  spec: './mine.ts',
  source: {
    kind: 'file',
    entry: 'mine.ts',
    files: { 'mine.ts': 'export default 1', 'lib/a.ts': '' },
    hash: 'ab',
  },
}
describe('a manifest', () => {
  test('is read as it was written, and nothing else is left in the folder', async () => {
    const folder = fresh()
    const whole = { ...manifest, runs: [{ ...run, rows: [row, mine] }] }
    await writeManifest(folder, whole)
    expect(readManifest(manifestFile(folder))).toEqual(whole)
    expect(readdirSync(folder)).toEqual(['manifest.json'])
  })

  const withRun = (changes: object) => ({ ...manifest, runs: [{ ...run, ...changes }] })

  test.each<[string, unknown, string]>([
    ['of another format', { ...manifest, format: 3 }, 'format: it must be 2, not 3.'],
    ['with an unknown key', { ...manifest, sede: 1 }, 'sede: there is no such key.'],
    ['of no run', { ...manifest, runs: [] }, 'runs: it must not be empty.'],
    ['without a key', withRun({ sampling: undefined }), 'runs[0].sampling: it is missing; it must be a map.'],
    [
      'with a wrong type deep inside',
      withRun({ rows: [{ ...row, guidance: 'high' }] }),
      'runs[0].rows[0].guidance: it must be a number, not "high".',
    ],
    [
      'with code from nowhere',
      withRun({ rows: [{ ...row, source: { kind: 'url' } }] }),
      'runs[0].rows[0].source.kind: it is of no known kind.',
    ],
    [
      'whose files leave the folder',
      withRun({ rows: [{ ...mine, source: { ...mine.source, files: { '../x.ts': '' } } }] }),
      'runs[0].rows[0].source.files["../x.ts"]: it must be a path below the folder.',
    ],
    ['that is no object', [], 'it must be a map, not a list.'],
    [
      'that is another program’s',
      { name: 'something else' },
      'format: it is missing; it must be 2. command: it is missing; it must be one of generate, compare, experiment. ' +
        'runs: it is missing; it must be a list. And 1 more.',
    ],
  ])('%s is refused, naming the key in plain words', (_, json, reason) => {
    const file = join(fresh(), 'manifest.json')
    writeFileSync(file, JSON.stringify(json))
    expect(() => readManifest(file)).toThrow(
      expect.objectContaining({
        code: 'bad-manifest',
        message: `${file} is no manifest of a run: ${reason}`,
        remedy: expect.stringContaining('Give the folder of a run'),
      }),
    )
  })

  test('of the first format is refused, with the sjd2 that can make its images again', () => {
    const file = join(fresh(), 'manifest.json')
    const environment = { ...run.environment, git: { commit: 'c0ffee', changed: false } }
    const { id: _, ...rest } = { ...run, environment }
    writeFileSync(file, JSON.stringify({ format: 1, command: 'generate', ...rest }))
    expect(() => readManifest(file)).toThrow(
      expect.objectContaining({
        code: 'bad-manifest',
        message: expect.stringMatching(
          /of format 1, by an older sjd2 \(0\.1\.0, commit c0ffee\).*other pictures\.$/,
        ),
        remedy: expect.stringContaining('git checkout c0ffee'),
      }),
    )
  })

  test('that is not there, or no JSON, is refused', () => {
    const file = join(fresh(), 'manifest.json')
    expect(() => readManifest(file)).toThrow('it does not exist')
    writeFileSync(file, '{')
    expect(() => readManifest(file)).toThrow(`${file} is no manifest of a run: it is no JSON.`)
  })
})

describe('a folder', () => {
  test('takes more policies and images of the same comparison', async () => {
    const folder = fresh()
    await openFolder(folder, 'compare', run)
    await appendResult(folder, recordOf({}))
    const more = { prompt: 'blue', seed: 0, index: 1 }
    const whole = { ...run, rows: [row, mine], images: [...run.images, more] }
    expect(await openFolder(folder, 'compare', { ...run, rows: [mine, row], images: [more] })).toEqual(whole)
    expect(readManifest(manifestFile(folder))).toEqual({ ...manifest, runs: [whole] })
  })

  test.each<[string, Partial<ManifestRun>]>([
    ['sampling', { sampling: { temperature: 2, topK: 0, topP: 1 } }],
    ['images-at-once', { imagesAtOnce: 1 }],
    ['size', { checkpoint: { ...run.checkpoint, size: '768' } }],
    ['torch', { environment: { ...run.environment, torch: '3' } }],
    ['adapter', { environment: { ...run.environment, adapter: 'other' } }],
    [
      'version of ./mine.ts',
      { rows: [{ ...mine, source: { ...mine.source, hash: 'other' } as typeof mine.source }] },
    ],
  ])('refuses a comparison’s results of another %s', async (what, change) => {
    const folder = fresh()
    const whole = { ...run, rows: [row, mine] }
    await openFolder(folder, 'compare', whole)
    await appendResult(folder, recordOf({}))
    await expect(openFolder(folder, 'compare', { ...whole, ...change })).rejects.toThrow(
      `holds results of another ${what}.`,
    )
    expect(readManifest(manifestFile(folder)).runs).toEqual([whole])
  })

  test('without results is begun anew, whatever its manifest was of', async () => {
    const folder = fresh()
    await openFolder(folder, 'compare', run)
    const other = { ...run, imagesAtOnce: run.imagesAtOnce + 1 }
    await openFolder(folder, 'generate', other)
    expect(readManifest(manifestFile(folder))).toEqual({ ...manifest, command: 'generate', runs: [other] })
  })

  test('of generate knows a run of each settings, and takes more images of each', async () => {
    const folder = fresh()
    const { id: _, ...first } = run
    const open = (changes: Partial<NewRun>) => openFolder(folder, 'generate', { ...first, ...changes })
    const strong = [{ ...row, guidance: 5 }]
    const blue = { prompt: 'blue', seed: 0, index: 0 }
    expect(await open({})).toMatchObject({ id: 1 })
    await appendResult(folder, recordOf({}))
    expect(await open({ rows: strong })).toMatchObject({ id: 2, images: run.images })
    expect(await open({ rows: [mine] })).toMatchObject({ id: 3 })
    const edited = { ...mine, source: { ...mine.source, hash: 'other' } as typeof mine.source }
    expect(await open({ rows: [edited] })).toMatchObject({ id: 4 })
    expect(await open({ sampling: { ...run.sampling, topK: 9 } })).toMatchObject({ id: 5 })
    // neither decides any image
    const measured = [{ ...row, overrides: { ...row.overrides, window: 48 } }]
    expect(await open({ rows: measured, imagesAtOnce: 1, images: [blue] })).toEqual({
      ...run,
      images: [...run.images, blue],
    })
    expect(await open({ rows: strong, images: [blue] })).toMatchObject({ id: 2 })
    expect(readManifest(manifestFile(folder)).runs.map(({ id, images }) => [id, images.length])).toEqual([
      [1, 2],
      [2, 2],
      [3, 1],
      [4, 1],
      [5, 1],
    ])
  })

  test.each([
    ['compare', 'generate'],
    ['generate', 'compare'],
    ['compare', 'experiment'],
  ] as const)('of results of %s is none for %s', async (before, now) => {
    const folder = fresh()
    await openFolder(folder, before, run)
    await appendResult(folder, recordOf({}))
    await expect(openFolder(folder, now, run)).rejects.toThrow(
      `holds the results of sjd2 ${before}; those of`,
    )
    expect(readResults(folder)).toHaveLength(1)
    expect(readManifest(manifestFile(folder)).command).toBe(before)
  })

  test.each(['manifest.json', 'results.jsonl'])(
    'is not begun over another’s %s, which stays as it is',
    async (name) => {
      for (const command of ['generate', 'compare'] as const) {
        const folder = fresh()
        writeFileSync(join(folder, name), '{"name":"something else"}')
        await expect(openFolder(folder, command, run)).rejects.toMatchObject({
          code: 'bad-output',
          remedy: expect.stringContaining('--out'),
        })
        expect(readdirSync(folder)).toEqual([name])
        expect(readFileSync(join(folder, name), 'utf8')).toBe('{"name":"something else"}')
      }
    },
  )
})

describe('results', () => {
  test('are put in the order of the plan; a line that a kill cut off is taken out', async () => {
    const folder = fresh()
    for (const index of [2, 0]) await appendResult(folder, recordOf({ index }))
    writeFileSync(join(folder, 'results.jsonl'), '{"spec":"sjd', { flag: 'a' })
    expect(readResults(folder)).toHaveLength(2)
    mendResults(folder)
    await appendResult(folder, recordOf({ index: 1 }))
    const plan = [0, 1, 2].map((index) => recordOf({ index }))
    expect(await sortResults(folder, plan)).toEqual(plan)
    expect(readResults(folder)).toEqual(plan)
  })

  test('of images that are to be made again are taken out', async () => {
    const folder = fresh()
    for (const index of [0, 1, 2]) await appendResult(folder, recordOf({ index }))
    await appendResult(folder, recordOf({ index: 1, run: 2 }))
    await dropResults(folder, new Set([keyOf(recordOf({ index: 1 }))]))
    expect(readResults(folder).map(({ run, index }) => [run, index])).toEqual([
      [1, 0],
      [1, 2],
      [2, 1],
    ])
  })

  test('keep lines of other runs, and refuse what is none, by its line', async () => {
    const folder = fresh()
    const other = recordOf({ spec: 'sjd' })
    for (const record of [recordOf({ index: 1 }), other, recordOf({ index: 0 })])
      await appendResult(folder, record)
    await sortResults(folder, [recordOf({ index: 0 }), recordOf({ index: 1 })])
    expect(readResults(folder).map(({ spec, index }) => [spec, index])).toEqual([
      ['sjd', 0],
      ['sjd2', 0],
      ['sjd2', 1],
    ])
    writeFileSync(join(folder, 'results.jsonl'), '{"passes":"many"}\n', { flag: 'a' })
    expect(() => readResults(folder)).toThrow(
      /results\.jsonl, line 4, is no result of a run: spec: it is missing; it must be a text\./,
    )
  })
})
