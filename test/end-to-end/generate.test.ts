import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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

describe('with --json', () => {
  test('standard output is one object per picture, and its file is the picture that was decoded', async () => {
    const out = join(folder, 'json')
    const images = await json(['red circle', 'blue square', '--count', '2', '--seed', '7', '--out', out])
    const names = [
      'blue-square-s7-0.png',
      'blue-square-s7-1.png',
      'red-circle-s7-0.png',
      'red-circle-s7-1.png',
    ]
    expect(images.map(({ file }) => file).sort()).toEqual(names.map((name) => join(out, name)))
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
    expect(manifest.images).toHaveLength(4)
    expect(manifest.rows[0].overrides).toEqual({ window: expect.any(Number) })
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
  expect(files.sort()).toEqual(
    ['blue-square-s0-0.png', 'red-circle-s0-0.png', 'red-circle-s0-1.png'].map((name) => join(out, name)),
  )
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
