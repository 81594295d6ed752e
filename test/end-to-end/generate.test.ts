import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import { decode } from 'fast-png'
import { afterAll, describe, expect, test } from 'vitest'
import { sjd2 } from '../cli/sjd2.js'
import { tinyCheckpoint } from '../engine/tiny.js'

const checkpoint = tinyCheckpoint()
const folder = mkdtempSync(join(tmpdir(), 'generate-'))
const model = ['--model', checkpoint.folder]

afterAll(() => {
  checkpoint.remove()
  rmSync(folder, { recursive: true })
})

const json = async (args: readonly string[]) => {
  const { stdout, stderr, exitCode } = await sjd2(['generate', ...args, ...model, '--json'])
  expect(exitCode, stderr).toBe(0)
  return stdout.split('\n').map((line) => JSON.parse(line))
}

/** A picture's name without what tells it from those of other prompts and settings. */
const withoutHash = (name: string): string => name.replace(/-[0-9a-f]{12}\.png$/, '.png')

describe('with --json', () => {
  test('standard output is one object per picture, and its file is the picture that was decoded', async () => {
    const out = join(folder, 'json')
    const images = await json(['red circle', 'blue square', '--count', '2', '--seed', '7', '--out', out])
    const names = images.map(({ file }) => relative(out, file)).sort()
    expect(names.map(withoutHash)).toEqual([
      'blue-square-s7-0.png',
      'blue-square-s7-1.png',
      'red-circle-s7-0.png',
      'red-circle-s7-1.png',
    ])
    for (const image of images) {
      expect(image).toMatchObject({ policy: 'sjd2', exact: true, seed: 7, index: expect.any(Number) })
      expect(image.tokens).toHaveLength(24)
      expect(image.compression).toBeCloseTo(24 / image.passes)
      expect(image.passes).toBeLessThan(24)
      expect(image.seconds).toBeGreaterThan(0)

      const png = decode(readFileSync(image.file))
      expect([png.width, png.height, png.channels]).toEqual([24, 16, 3])
      const { prompt, seed, index, environment } = JSON.parse(png.text.sjd2!)
      expect({ prompt, seed, index }).toEqual({ prompt: image.prompt, seed: 7, index: image.index })
      expect(environment.model.hash).toMatch(/^[0-9a-f]{64}$/)
    }
    expect(readdirSync(out).sort()).toEqual([
      ...names.slice(0, 2),
      'manifest.json',
      ...names.slice(2),
      'results.jsonl',
    ])
    const manifest = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8'))
    const [run, ...others] = manifest.runs
    expect(others).toEqual([])
    expect(run.images).toHaveLength(4)
    expect(run.rows[0]).toMatchObject({ spec: 'sjd2', overrides: { window: expect.any(Number) } })
    const results = readFileSync(join(out, 'results.jsonl'), 'utf8').trimEnd().split('\n')
    expect(results.map((line) => JSON.parse(line).file).sort()).toEqual(names)
  })

  test('an image is the same alone and together with others', async () => {
    const together = await json([
      'red circle',
      'blue square',
      '--count',
      '2',
      '--out',
      join(folder, 'together'),
    ])
    const [alone] = await json(['blue square', '--images-at-once', '1', '--out', join(folder, 'alone')])
    const tokensOf = (index: number) =>
      together.find((image) => image.prompt === 'blue square' && image.index === index).tokens
    expect(alone.tokens).toEqual(tokensOf(0))
    expect(alone.tokens).not.toEqual(tokensOf(1))
  })

  test('what stands beside a prompt changes nothing of its pictures, and different prompts share nothing', async () => {
    const of = async (name: string, ...prompts: string[]) => {
      const images = await json([...prompts, '--out', join(folder, name)])
      expect(new Set(images.map(({ file }) => file)).size).toBe(prompts.length)
      return images
    }
    const [alone] = await of('one', 'red circle')
    const beside = await of('several', 'Red circle', 'red circle', 'red circle!', 'red circle')
    const same = beside.filter(({ prompt }) => prompt === 'red circle')
    const found = same.find(({ index }) => index === 0)
    expect(found.tokens).toEqual(alone.tokens)
    expect(basename(found.file)).toBe(basename(alone.file))
    // to the model these prompts are the same words: it is the random numbers that differ
    expect(new Set(beside.map(({ tokens }) => tokens.join())).size).toBe(4)
    expect(beside.map(({ index }) => index).sort()).toEqual([0, 0, 0, 1])
  })

  test('options override the policy and the sampling', async () => {
    const out = ['--out', join(folder, 'overrides')]
    const changes = ['--coupling', 'gumbel', '--window', '3']
    const [gumbel] = await json(['red circle', '--policy', 'mc-sjd', ...changes, ...out])
    const [sequential] = await json(['red circle', '--policy', 'autoregressive', ...out])
    expect(gumbel.parameters).toEqual({ coupling: 'gumbel', window: 3 })
    expect(gumbel.tokens).toEqual(sequential.tokens)
    expect(sequential.passes).toBe(24)

    const greedy = ['--temperature', '0', '--guidance', '1', '--count', '2']
    const [first, second] = await json(['red circle', '--policy', 'autoregressive', ...greedy, ...out])
    expect(first).toMatchObject({ temperature: 0, guidance: 1 })
    expect(second.tokens).toEqual(first.tokens)
  })

  test('a relaxed policy is marked', async () => {
    const [image] = await json(['red circle', '--policy', 'sjd2-paper', '--out', join(folder, 'relaxed')])
    expect(image).toMatchObject({ policy: 'sjd2-paper', exact: false })
  })
})

test('people get the paths and a table; prompts may come from a file', async () => {
  const out = join(folder, 'people')
  const prompts = join(folder, 'prompts.txt')
  writeFileSync(prompts, '# two prompts, one of them twice\nred circle\n\n  blue square\r\nred circle\n')
  const { stdout, exitCode } = await sjd2(['generate', '--prompts', prompts, '--out', out, ...model])
  expect(exitCode).toBe(0)
  const lines = stdout.split('\n')
  const files = lines.slice(0, 3)
  expect(files.sort().map((file) => withoutHash(relative(out, file)))).toEqual([
    'blue-square-s0-0.png',
    'red-circle-s0-0.png',
    'red-circle-s0-1.png',
  ])
  expect(files.every((file) => existsSync(file))).toBe(true)
  expect(lines[3]).toMatch(/^policy +output +pictures +passes +compression/)
  expect(lines[4]).toMatch(/^sjd2 +exact +3 +\d+\.\d +\d+\.\d\d×/)
})

test('a policy of the user’s own runs, and says its name', async () => {
  const file = join(folder, 'mine.ts')
  writeFileSync(
    file,
    `import { chain, exactPrefix, left, maximal } from 'sjd2'
export default chain({
  name: 'mine', window: 4, initialize: left, verify: maximal, prefix: exactPrefix, refine: maximal, denoise: null,
})`,
  )
  const [image] = await json(['red circle', '--policy', file, '--out', join(folder, 'mine')])
  expect(image).toMatchObject({ policy: 'mine', exact: true })
  expect(image.tokens).toHaveLength(24)
})

describe('into a folder that holds pictures', () => {
  const out = join(folder, 'again')
  const names = () => readdirSync(out).sort()
  const bytes = () =>
    names()
      .map((name) => readFileSync(join(out, name), 'latin1'))
      .join()

  test('other settings add theirs, and nothing of the others changes', async () => {
    const policy = join(folder, 'edited.ts')
    const write = (window: number) =>
      writeFileSync(
        policy,
        `import { chain, exactPrefix, left, maximal } from 'sjd2'
export default chain({
  name: 'edited', window: ${window}, initialize: left, verify: maximal, prefix: exactPrefix, refine: maximal, denoise: null,
})`,
      )
    const commands = [
      ['--guidance', '2'],
      ['--guidance', '4', '--window', '3'],
      ['--guidance', '4'],
      ['--top-k', '5', '--policy', policy],
    ]
    write(2)
    const before = new Map<string, string>()
    for (const options of [...commands, commands[3]]) {
      if (before.size === commands.length) write(3)
      const [{ file }] = await json(['red circle', ...options, '--out', out])
      for (const [name, picture] of before) expect(readFileSync(name, 'latin1') === picture, name).toBe(true)
      expect(before.has(file), options.join()).toBe(false)
      before.set(file, readFileSync(file, 'latin1'))
    }
    expect(names().filter((name) => name.endsWith('.png'))).toHaveLength(commands.length + 1)

    const replayed = await sjd2(['replay', out, '--json'])
    expect(replayed.exitCode, replayed.stderr).toBe(0)
    const { identical, images } = JSON.parse(replayed.stdout)
    expect([identical, images.length]).toEqual([true, commands.length + 1])

    const report = await sjd2(['report', out])
    expect(report.exitCode, report.stderr).toBe(0)
    const html = readFileSync(join(out, 'report.html'), 'utf8')
    for (const setting of ['guidance 2', 'guidance 4', 'guidance 3, top-k 5'])
      expect(html).toContain(`<caption>${setting}</caption>`)
    for (const run of [4, 5]) expect(html).toContain(`edited.ts (run ${run})`)
    rmSync(join(out, 'report.html'))
  })

  test('the same command makes nothing twice and says so; a picture that was taken away is made again', async () => {
    const [whole, listed] = [bytes(), names()]
    const again = await sjd2(['generate', 'red circle', '--guidance', '4', '--out', out, ...model])
    expect(again.exitCode, again.stderr).toBe(0)
    expect(again.stderr).toContain('1 of 1 pictures are there already')
    const [file] = again.stdout.split('\n')
    expect(existsSync(file)).toBe(true)
    expect(bytes() === whole).toBe(true)

    rmSync(file)
    const [made] = await json(['red circle', '--guidance', '4', '--out', out])
    expect(made.file).toBe(file)
    expect(names()).toEqual(listed)
    const lines = readFileSync(join(out, 'results.jsonl'), 'utf8').trimEnd().split('\n')
    expect(lines).toHaveLength(listed.length - 2)
    const count = 2
    const more = await json(['red circle', '--guidance', '4', '--count', String(count), '--out', out])
    expect(more.map((image) => image.index)).toEqual([0, 1])
    expect(names()).toHaveLength(listed.length + 1)
  })
})
