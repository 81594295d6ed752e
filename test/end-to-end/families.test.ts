import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decode } from 'fast-png'
import { afterAll, describe, expect, test } from 'vitest'
import { sjd2 } from '../cli/sjd2.js'
import { python } from '../engine/tiny.js'

interface Reference {
  readonly prompt: string
  readonly guidance: number
  /** Ids over the whole layout, by family. */
  readonly tokens: Record<string, readonly number[]>
  readonly sizes: Record<string, string>
}

const folder = mkdtempSync(join(tmpdir(), 'families-'))
afterAll(() => rmSync(folder, { recursive: true }))

const workerFolder = fileURLToPath(new URL('../../python_worker/', import.meta.url))
const adapter = fileURLToPath(new URL('../../examples/my_adapter.py', import.meta.url))
execFileSync(python, ['-m', 'tests.reference', folder], { cwd: workerFolder, stdio: 'ignore' })
const reference: Reference = JSON.parse(readFileSync(join(folder, 'reference.json'), 'utf8'))

describe.each(['lumina', 'emu3'])('a checkpoint of %s', (family) => {
  const model = ['--model', join(folder, family), '--size', reference.sizes[family]]
  const guidance = ['--guidance', `${reference.guidance}`]

  test('decodes, by the likeliest codes, what its library does', async () => {
    const out = ['--out', join(folder, `${family}-greedy`), '--json']
    const greedy = ['--policy', 'autoregressive', '--temperature', '0']
    const ran = await sjd2(['generate', reference.prompt, ...greedy, ...model, ...guidance, ...out])
    expect(ran.exitCode, ran.stderr).toBe(0)
    expect(JSON.parse(ran.stdout).tokens).toEqual(reference.tokens[family])
  })

  test('draws the same sample in fewer passes', async () => {
    const out = join(folder, `${family}-coupled`)
    const prompts = join(folder, `${family}.txt`)
    writeFileSync(prompts, reference.prompt)
    const policies = ['autoregressive', 'mc-sjd:window=8,coupling=gumbel', 'sjd2:window=8,init=above']
    const where = ['--prompts', prompts, '--out', out, '--pictures', '--json']
    const ran = await sjd2(['compare', ...policies, ...model, ...guidance, ...where])
    expect(ran.exitCode, ran.stderr).toBe(0)
    const [one, ...others]: { spec: string; passes: number }[] = JSON.parse(ran.stdout).rows
    const pictureOf = (spec: string) => {
      const name = spec.replaceAll(/[^a-z0-9]+/g, '-')
      return decode(readFileSync(join(out, `${name}-g${reference.guidance}`, 'a-red-circle-s0-0.png'))).data
    }
    for (const row of others) {
      expect(row.passes).toBeLessThan(one.passes)
      expect(pictureOf(row.spec)).toEqual(pictureOf(one.spec))
    }
  })
})

describe('a family of one’s own, by --adapter', () => {
  const mine = ['generate', 'red', '--model', join(folder, 'mine'), '--adapter', adapter, '--out', folder]

  test('draws; noise needs fine-tuning or another start', async () => {
    const drawn = await sjd2([...mine, '--json', '--init', 'above'])
    expect(drawn.exitCode, drawn.stderr).toBe(0)
    expect(JSON.parse(drawn.stdout).tokens).toHaveLength(64)
    const refused = await sjd2(mine)
    expect(refused).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('init random, left, above'),
    })
  })
})
