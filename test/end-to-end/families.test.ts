import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decode } from 'fast-png'
import { afterAll, describe, expect, test } from 'vitest'
import { sjd2 } from '../cli/sjd2.js'
import { python } from '../engine/tiny.js'
import { script } from '../faults/processes.js'
import { pictureIn } from '../support/pictures.js'

interface Reference {
  readonly guidance: number
  readonly families: Record<string, Family>
}

interface Family {
  readonly prompt: string
  readonly size: string | null
  /** Whether noise was trained. */
  readonly noise: boolean
  /** The likeliest ids over the whole layout. */
  readonly tokens: readonly number[]
}

const folder = mkdtempSync(join(tmpdir(), 'families-'))
afterAll(() => rmSync(folder, { recursive: true }))

const workerFolder = fileURLToPath(new URL('../../python_worker/', import.meta.url))
const adapter = fileURLToPath(new URL('../../examples/my_adapter.py', import.meta.url))
execFileSync(python, ['-m', 'tests.reference', folder], { cwd: workerFolder, stdio: 'ignore' })
const reference: Reference = JSON.parse(readFileSync(join(folder, 'reference.json'), 'utf8'))

describe.each(Object.entries(reference.families))(
  'a checkpoint of %s',
  (family, { prompt, size, ...own }) => {
    const prompts = join(folder, `${family}.txt`)
    writeFileSync(prompts, prompt)
    const fast = ['mc-sjd:window=8,coupling=gumbel', own.noise ? 'sjd2:window=8' : 'sjd2:window=8,init=above']
    const model = ['--model', join(folder, family), ...(size === null ? [] : ['--size', size])]

    async function compare(name: string, ...more: string[]) {
      const out = join(folder, name)
      const where = ['--prompts', prompts, '--out', out, '--guidance', `${reference.guidance}`, '--json']
      const ran = await sjd2(['compare', 'autoregressive', ...fast, ...model, ...where, ...more])
      expect(ran.exitCode, ran.stderr).toBe(0)
      const rows: { spec: string; passes: number }[] = JSON.parse(ran.stdout).rows
      const lines = readFileSync(join(out, 'results.jsonl'), 'utf8').trim().split('\n')
      return {
        told: ran.stderr,
        out,
        rows,
        images: lines.map((line): readonly number[] => JSON.parse(line).tokens),
      }
    }

    test('decodes, by the likeliest codes and any policy, what its reference does', async () => {
      const { images, told } = await compare(`${family}-greedy`, '--temperature', '0')
      expect(images).toEqual([own.tokens, own.tokens, own.tokens])
      // the worker's warning, of a size that no published checkpoint was trained at
      expect(told.includes('pictures of 8x12 may be poor')).toBe(family === 'lumina')
    })

    // what differs between the families is behind the tokens already: one with a layout, one without
    test.runIf(['lumina', 'captions'].includes(family))('draws the same sample in fewer passes', async () => {
      const { out, rows, images } = await compare(`${family}-coupled`, '--pictures')
      const [one, ...others] = rows
      const pictures = rows.map(({ spec }) => {
        const name = `${spec.replaceAll(/[^a-z0-9]+/g, '-')}-g${reference.guidance}`
        return decode(readFileSync(pictureIn(join(out, name), 'a-red-circle-s0-0'))).data
      })
      for (const row of others) expect(row.passes).toBeLessThan(one.passes)
      expect(new Set(images.map(String)).size).toBe(1)
      expect(pictures).toEqual(pictures.map(() => pictures[0]))
    })
  },
)

describe('sjd2 plan', () => {
  const plan = (...args: string[]) => sjd2(['plan', '--images-at-once', '4', ...args])

  test('says what fits, in the machine that is named', async () => {
    const fits = await plan('--memory', '1', '--json')
    expect(fits.exitCode, fits.stderr).toBe(0)
    const { weights, cache, total, remedy } = JSON.parse(fits.stdout)
    expect(remedy).toBeNull()
    const memory = (weights + cache / 2) / 2 ** 30
    const tight = await plan('--memory', `${memory}`)
    expect(tight.exitCode).toBe(1)
    expect(tight.stdout).toMatch(/It does not fit. 1 images at once would fit/)
    expect(total).toBeGreaterThan(weights + cache)
  })

  test('counts weights as they are held', async () => {
    const model = ['--model', join(folder, 'janus'), '--memory', '1', '--json']
    const [usual, rounded] = await Promise.all([plan(...model), plan(...model, '--quantize', 'int8')])
    expect(rounded.exitCode, rounded.stderr).toBe(0)
    const weights = [usual, rounded].map(({ stdout }): number => JSON.parse(stdout).weights)
    expect(weights[1]).toBeLessThan(weights[0])
  })

  test('says why it cannot say', async () => {
    const { exitCode, stderr } = await plan('--model', join(folder, 'nowhere'))
    expect(exitCode).toBe(1)
    expect(stderr).toContain('What to do: Give --model a checkpoint folder that exists.')
  })
})

describe('sjd2 check-model', () => {
  test.each(['lumina', 'classes'])('says that %s will load', async (family) => {
    const { size } = reference.families[family]
    const sized = size === null ? [] : ['--size', size]
    const { stdout, exitCode } = await sjd2(['check-model', join(folder, family), ...sized])
    expect(exitCode, stdout).toBe(0)
    expect(stdout).toMatch(/^✓ with: python .*torch .*transformers /)
    expect(stdout).toMatch(/^✓ pictures: \d+x\d+ pixels .*codes; .*size/m)
    expect(stdout).toMatch(/^weights +\d.*\nkey\/value cells/m)
    expect(stdout).toMatch(/It fits\.\nIt will load\.$/)
  })

  test('says what is missing, with the remedy, as lines and as JSON', async () => {
    const bare = join(folder, 'bare')
    mkdirSync(bare)
    copyFileSync(join(folder, 'janus', 'config.json'), join(bare, 'config.json'))
    const [lines, json] = await Promise.all([
      sjd2(['check-model', bare]),
      sjd2(['check-model', bare, '--json']),
    ])
    expect([lines.exitCode, json.exitCode]).toEqual([1, 1])
    expect(lines.stdout).toMatch(/^✗ missing-checkpoint: There is no .*model\.safetensors\.\n {4}Give/m)
    expect(lines.stdout).toMatch(/^✗ missing-checkpoint: There is no .*tokenizer\.json\.\n {4}Give/m)
    expect(lines.stdout).toMatch(/It will not load: mend what is marked ✗\.$/)
    const said = JSON.parse(json.stdout)
    expect(said).toMatchObject({ model: bare, family: 'janus', loads: false, plan: null, picture: null })
    expect(said.faults).toHaveLength(2)
  })

  test('asks no Python that lacks torch', async () => {
    const bare = script(join(folder, 'python'), `exec "${python}" -S "$@"`)
    const { stdout, exitCode } = await sjd2(['check-model', join(folder, 'janus'), '--python', bare])
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(/✗ no-python: .*has no torch\.\n {4}.*pip install torch==/)
  })
})

test('weights of 8 bits draw, and the same again', async () => {
  const out = join(folder, 'rounded')
  const model = ['--model', join(folder, 'janus'), '--quantize', 'int8', '--policy', 'autoregressive']
  const drawn = await sjd2(['generate', 'red', ...model, '--out', out, '--json'])
  expect(drawn.exitCode, drawn.stderr).toBe(0)
  const [{ checkpoint }] = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8')).runs
  expect(checkpoint).toMatchObject({ quantize: 'int8' })
  expect(await sjd2(['replay', out])).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('1 of 1 images are identical'),
  })
})

describe('a family of one’s own, by --adapter', () => {
  const mine = ['generate', 'red', '--model', join(folder, 'mine'), '--adapter', adapter, '--out', folder]

  test('draws by what it can read; noise needs fine-tuning or another start', async () => {
    const drawn = await sjd2([...mine, '--json'])
    expect(drawn.exitCode, drawn.stderr).toBe(0)
    expect(JSON.parse(drawn.stdout)).toMatchObject({ policy: 'mc-sjd', tokens: { length: 64 } })
    const refused = await sjd2([...mine, '--policy', 'sjd2'])
    expect(refused).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('init random, left, likeliest'),
    })
  })
})
