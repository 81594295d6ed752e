import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readManifest } from '../../src/experiment/manifest.js'
import { readResults } from '../../src/experiment/results.js'
import { sjd2, sjd2Command } from '../cli/sjd2.js'
import { python } from '../engine/tiny.js'

// A Janus of 2,048 positions, of which a picture takes 16.
const LONGEST = 2032
const folder = mkdtempSync(join(tmpdir(), 'prompts-'))
const model = join(folder, 'janus')
const env = { XDG_RUNTIME_DIR: join(folder, 'runtime') }
const workerFolder = fileURLToPath(new URL('../../python_worker/', import.meta.url))

beforeAll(() => {
  mkdirSync(env.XDG_RUNTIME_DIR)
  const write = `from pathlib import Path; from tests.tiny_families import write_janus; write_janus(Path("${model}"))`
  execFileSync(python, ['-c', write], { cwd: workerFolder, stdio: 'ignore' })
})
afterAll(() => rmSync(folder, { recursive: true }))

/** More tokens than slots have room for at first. */
const LONG = 'red '.repeat(400).trim()
const TOO_LONG = 'blue '.repeat(LONGEST + 1).trim()

function file(name: string, contents: string): string {
  writeFileSync(join(folder, name), contents)
  return join(folder, name)
}

const drawn = (out: string) => readdirSync(out).filter((name) => name.endsWith('.png'))

describe('a long prompt', () => {
  test('has room by itself, in a worker that was started before it was known, too', async () => {
    const prompts = file('long.txt', `a red circle\n${LONG}\n`)
    const own = join(folder, 'long')
    const shared = join(folder, 'long-shared')
    const ran = await sjd2(['generate', '--model', model, '--prompts', prompts, '--out', own])
    expect(ran.exitCode, ran.stderr).toBe(0)
    const started = await sjd2(['worker', 'start', '--model', model, '--name', 'tiny'], { env })
    expect(started.exitCode, started.stderr).toBe(0)
    try {
      const args = ['generate', '--connect', 'tiny', '--prompts', prompts, '--out', shared]
      const connected = await sjd2(args, { env })
      expect(connected.exitCode, connected.stderr).toBe(0)
    } finally {
      await sjd2(['worker', 'stop', 'tiny'], { env })
    }
    const [one, other] = [own, shared].map((out) =>
      readResults(out).map(({ prompt, tokens }) => ({ prompt, tokens })),
    )
    expect(one).toHaveLength(2)
    expect(other).toEqual(one)
  })

  test('is drawn as in slots that had the room from the start, which --prompt-cells makes and plan counts', async () => {
    const out = join(folder, 'roomy')
    const ran = await sjd2(['generate', LONG, '--model', model, '--prompt-cells', '500', '--out', out])
    expect(ran.exitCode, ran.stderr).toBe(0)
    const by = (prompt: string) =>
      readResults(join(folder, 'long')).find((record) => record.prompt === prompt)
    expect(readResults(out)[0].tokens).toEqual(by(LONG)?.tokens)

    const cache = async (...more: string[]) =>
      JSON.parse((await sjd2(['plan', '--model', model, '--json', ...more])).stdout).cache
    const cells = (prompt: number) => Math.ceil((prompt + 16 + 256) / 16) * 16
    expect((await cache('--prompt-cells', '1000')) / (await cache())).toBeCloseTo(cells(1000) / cells(256))
  })

  test('is refused with its line where the user, or the model’s positions, leave it no room', async () => {
    const prompts = file('too-long.txt', `a red circle\n\n${TOO_LONG}\n${LONG}\n`)
    const args = ['--model', model, '--prompts', prompts, '--out', join(folder, 'none')]
    const { exitCode, stderr } = await sjd2(['compare', ...args])
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(
      /too-long.txt:3: The prompt has 20\d\d tokens, and may have 2032: of the model's 2048 positions a picture takes 16\.\n/,
    )
    expect(stderr).toContain('--skip-bad-prompts')
    expect(stderr).not.toContain(':4:')
    const few = await sjd2(['generate', ...args, '--prompt-cells', '100'])
    expect(few.stderr).toMatch(
      /:3: .*\n.*:4: The prompt has 40\d tokens; --prompt-cells leaves room for 100\./,
    )
  })

  test('is left out where the user says so, which is told and written down; a study does, too', async () => {
    const prompts = file('mixed.txt', `${TOO_LONG}\na red circle\n`)
    const out = join(folder, 'skipped')
    const ran = await sjd2([
      'generate',
      '--model',
      model,
      '--prompts',
      prompts,
      '--skip-bad-prompts',
      '--out',
      out,
    ])
    expect(ran.exitCode, ran.stderr).toBe(0)
    expect(ran.stderr).toMatch(/Left out: .*mixed.txt:1: The prompt has 20\d\d tokens/)
    expect(readResults(out).map(({ prompt }) => prompt)).toEqual(['a red circle'])

    const study = file(
      'skips.yaml',
      `model: janus\nprompts: { file: mixed.txt }\nskipBadPrompts: true\npolicies: [mc-sjd]\nmetrics: []\n`,
    )
    const studied = join(folder, 'studied')
    const run = await sjd2(['experiment', 'run', study, '--out', studied])
    expect(run.exitCode, run.stderr).toBe(0)
    for (const [where, images, leftOut] of [out, studied].map(manifestIn)) {
      expect(
        images.map(({ prompt }) => prompt),
        where,
      ).toEqual(['a red circle'])
      expect(leftOut).toEqual([
        {
          prompt: TOO_LONG,
          where: expect.stringMatching(/mixed.txt:1$/),
          reason: expect.stringContaining('may have'),
        },
      ])
    }
  })
})

function manifestIn(out: string) {
  const [{ images, leftOut }] = readManifest(join(out, 'manifest.json')).runs
  return [out, images, leftOut] as const
}

describe('a file of prompts', () => {
  const table = [
    'Prompt\tCategory\tNote',
    'a red circle\tshapes\t',
    'blue\tcolours\tone word',
    'a red circle\tagain\t',
    'a red circle\tagain\t',
  ].join('\n')

  test('that repeats a prompt gives a picture for each, with what the file says of it', async () => {
    const prompts = file('table.tsv', table)
    for (const [command, ...more] of [['generate'], ['compare', 'mc-sjd', '--pictures']]) {
      const out = join(folder, `table-${command}`)
      const ran = await sjd2([command, ...more, '--model', model, '--prompts', prompts, '--out', out])
      expect(ran.exitCode, ran.stderr).toBe(0)
      const records = readResults(out)
      expect(records.map(({ prompt, fields }) => [prompt, fields])).toEqual([
        ['a red circle', { Category: 'shapes' }],
        ['blue', { Category: 'colours', Note: 'one word' }],
        ['a red circle', { Category: 'again' }],
        ['a red circle', { Category: 'again' }],
      ])
      const red = records.filter(({ prompt }) => prompt === 'a red circle')
      expect(new Set(red.map(({ file }) => file)).size).toBe(3)
      expect(new Set(red.map(({ tokens }) => tokens.join())).size).toBe(3)
      const [, images] = manifestIn(out)
      expect(images.map(({ fields }) => fields)).toEqual(records.map(({ fields }) => fields))
    }
    expect(drawn(join(folder, 'table-generate'))).toHaveLength(4)
  })

  test('comes from standard input, too; metrics read what else it says', async () => {
    const out = join(folder, 'piped')
    const [program, ...words] = sjd2Command(['generate', '--model', model, '--prompts', '-', '--out', out])
    const ran = await execa(program, words, {
      input: '{"prompt": "blue", "tag": "colours"}\n',
      reject: false,
    })
    expect(ran.exitCode, String(ran.stderr)).toBe(0)
    expect(readResults(out)).toMatchObject([{ prompt: 'blue', fields: { tag: 'colours' } }])

    file(
      'own.ts',
      "import type { Metric } from 'sjd2'\nexport default (({ fields }) => Number(fields.count)) satisfies Metric\n",
    )
    file('counts.jsonl', '{"prompt": "blue", "count": 3}\n{"prompt": "red", "count": 4}\n')
    const study = file(
      'counts.yaml',
      'model: janus\nprompts: { file: counts.jsonl }\npolicies: [mc-sjd]\nmetrics: [./own.ts]\n',
    )
    const run = await sjd2(['experiment', 'run', study, '--out', join(folder, 'counted')])
    expect(run.exitCode, run.stderr).toBe(0)
    expect(readResults(join(folder, 'counted')).map(({ metrics }) => metrics)).toEqual([
      { own: 3 },
      { own: 4 },
    ])
  })

  test('is refused by its lines where it is wrong', async () => {
    const prompts = file('wrong.jsonl', '{"prompt": "red"}\n{"prompt": "\\ud83d"}\n')
    const { exitCode, stderr } = await sjd2(['generate', '--model', model, '--prompts', prompts])
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/wrong.jsonl:2: its prompt holds half a surrogate pair/)
  })
})

test('prompts that are no class are named, all of them', async () => {
  execFileSync(python, ['-m', 'tests.tiny_llamagen', folder], { cwd: workerFolder, stdio: 'ignore' })
  const args = ['generate', '0', '5', '1', 'red', '--model', join(folder, 'classes')]
  const out = join(folder, 'classes-drawn')
  const refused = await sjd2([...args, '--out', out])
  expect(refused.stderr).toMatch(/^prompt 2: .*'5' is the number of none\.\nprompt 4: .*'red'/m)
  const skipped = await sjd2([...args, '--skip-bad-prompts', '--out', out])
  expect(skipped.exitCode, skipped.stderr).toBe(0)
  expect(drawn(out)).toHaveLength(2)
})

test('a caption of which cleaning leaves nothing is refused', async () => {
  const { exitCode, stderr } = await sjd2([
    'generate',
    'a red circle',
    '***',
    '--model',
    join(folder, 'captions'),
  ])
  expect(exitCode).toBe(1)
  expect(stderr).toContain('prompt 2: The model knows no word of the prompt "***".')
})
