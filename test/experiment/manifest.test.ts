import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { openFolder, renewFolder } from '../../src/experiment/folder.js'
import { type Manifest, manifestFile, readManifest, writeManifest } from '../../src/experiment/manifest.js'
import { appendResult, mendResults, readResults, sortResults } from '../../src/experiment/results.js'
import { manifest, recordOf } from './records.js'

const root = mkdtempSync(join(tmpdir(), 'manifest-'))
afterAll(() => rmSync(root, { recursive: true }))
let folders = 0
const fresh = () => mkdtempSync(join(root, `${folders++}-`))

const [row] = manifest.rows
const mine: Manifest['rows'][number] = {
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
    const whole = { ...manifest, rows: [row, mine] }
    await writeManifest(folder, whole)
    expect(readManifest(manifestFile(folder))).toEqual(whole)
    expect(readdirSync(folder)).toEqual(['manifest.json'])
  })

  test.each<[string, unknown, string]>([
    ['of another format', { ...manifest, format: 2 }, 'format: it must be 1, not 2.'],
    ['with an unknown key', { ...manifest, sede: 1 }, 'sede: there is no such key.'],
    ['without a key', { ...manifest, sampling: undefined }, 'sampling: it is missing; it must be a map.'],
    [
      'with a wrong type deep inside',
      { ...manifest, rows: [{ ...row, guidance: 'high' }] },
      'rows[0].guidance: it must be a number, not "high".',
    ],
    [
      'with code from nowhere',
      { ...manifest, rows: [{ ...row, source: { kind: 'url' } }] },
      'rows[0].source.kind: it is of no known kind.',
    ],
    [
      'whose files leave the folder',
      { ...manifest, rows: [{ ...mine, source: { ...mine.source, files: { '../x.ts': '' } } }] },
      'rows[0].source.files["../x.ts"]: it must be a path below the folder.',
    ],
    ['that is no object', [], 'it must be a map, not a list.'],
    [
      'that is another program’s',
      { name: 'something else' },
      'format: it is missing; it must be 1. command: it is missing; it must be one of generate, compare, experiment. ' +
        'environment: it is missing; it must be a map. And 7 more.',
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

  test('that is not there, or no JSON, is refused', () => {
    const file = join(fresh(), 'manifest.json')
    expect(() => readManifest(file)).toThrow('it does not exist')
    writeFileSync(file, '{')
    expect(() => readManifest(file)).toThrow(`${file} is no manifest of a run: it is no JSON.`)
  })
})

describe('a folder', () => {
  test('takes more policies and images of the same run', async () => {
    const folder = fresh()
    await openFolder(folder, manifest)
    await appendResult(folder, recordOf({}))
    const more = { prompt: 'blue', seed: 0, index: 1 }
    await openFolder(folder, { ...manifest, rows: [mine, row], images: [more] })
    expect(readManifest(manifestFile(folder))).toEqual({
      ...manifest,
      rows: [row, mine],
      images: [...manifest.images, more],
    })
  })

  test.each<[string, Partial<Manifest>]>([
    ['sampling', { sampling: { temperature: 2, topK: 0, topP: 1 } }],
    ['images-at-once', { imagesAtOnce: 1 }],
    ['size', { checkpoint: { ...manifest.checkpoint, size: '768' } }],
    ['torch', { environment: { ...manifest.environment, torch: '3' } }],
    [
      'version of ./mine.ts',
      { rows: [{ ...mine, source: { ...mine.source, hash: 'other' } as typeof mine.source }] },
    ],
  ])('refuses results of another %s', async (what, change) => {
    const folder = fresh()
    const whole = { ...manifest, rows: [row, mine] }
    await openFolder(folder, whole)
    await appendResult(folder, recordOf({}))
    await expect(openFolder(folder, { ...whole, ...change })).rejects.toThrow(
      `holds results of another ${what}.`,
    )
    expect(readManifest(manifestFile(folder))).toEqual(whole)
  })

  test('without results is begun anew, whatever its manifest was of', async () => {
    const folder = fresh()
    await openFolder(folder, manifest)
    const other = { ...manifest, imagesAtOnce: manifest.imagesAtOnce + 1 }
    await openFolder(folder, other)
    expect(readManifest(manifestFile(folder))).toEqual(other)
  })

  test('of results is not begun anew by generate; one of generate’s own is', async () => {
    const folder = fresh()
    const generate = { ...manifest, command: 'generate' } as const
    await openFolder(folder, manifest)
    await appendResult(folder, recordOf({}))
    await expect(renewFolder(folder, generate)).rejects.toThrow('holds the results of sjd2 compare')
    expect(readResults(folder)).toHaveLength(1)

    const own = fresh()
    await renewFolder(own, generate)
    await appendResult(own, recordOf({}))
    await renewFolder(own, generate)
    expect(readResults(own)).toEqual([])
  })

  test.each(['manifest.json', 'results.jsonl'])(
    'is not begun over another’s %s, which stays as it is',
    async (name) => {
      for (const command of ['generate', 'compare'] as const) {
        const folder = fresh()
        writeFileSync(join(folder, name), '{"name":"something else"}')
        const begin = command === 'generate' ? renewFolder : openFolder
        await expect(begin(folder, { ...manifest, command })).rejects.toMatchObject({
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
