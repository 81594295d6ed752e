import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { decode } from 'fast-png'
import { afterAll, expect, test } from 'vitest'
import { readParameters } from '../../src/experiment/parameters.js'
import { sjd2 } from '../cli/sjd2.js'
import { tinyCheckpoint } from '../engine/tiny.js'
import { manifest, recordOf } from '../experiment/records.js'
import { pictureIn } from '../support/pictures.js'

const checkpoint = tinyCheckpoint()
const other = tinyCheckpoint(4, 6, 16, 2)
const folder = mkdtempSync(join(tmpdir(), 'replay-'))

afterAll(() => {
  checkpoint.remove()
  other.remove()
  rmSync(folder, { recursive: true })
})

test('a run is made again to the same tokens, from the manifest’s own copy of a policy file', async () => {
  const out = join(folder, 'out')
  const policies = join(folder, 'policies')
  mkdirSync(join(policies, 'lib'), { recursive: true })
  writeFileSync(join(policies, 'lib', 'start.ts'), `export { left as start } from 'sjd2'\n`)
  writeFileSync(
    join(policies, 'mine.ts'),
    `import { chain, exactPrefix, gumbel, type PolicyFactory } from 'sjd2'
import { start } from './lib/start.js'
const mine: PolicyFactory = (_, { window = 4 }) => chain({
  name: 'mine', window, initialize: start, verify: gumbel, prefix: exactPrefix, refine: gumbel, denoise: null,
})
export default mine`,
  )
  const prompts = ['red circle', 'green square']
  const options = ['--policy', join(policies, 'mine.ts'), '--window', '5', '--out', out]
  const made = await sjd2(['generate', ...prompts, '--seed', '3', ...options, '--model', checkpoint.folder])
  expect(made.exitCode, made.stderr).toBe(0)
  rmSync(policies, { recursive: true })

  const same = await sjd2(['replay', out, '--json'])
  expect(same.exitCode, same.stderr).toBe(0)
  const { identical, changes, images } = JSON.parse(same.stdout)
  expect({ identical, changes }).toEqual({ identical: true, changes: [] })
  expect(images).toMatchObject(
    prompts.map((prompt) => ({ prompt, seed: 3, index: 0, identical: true, different: 0, parting: null })),
  )

  // as if another machine had drawn another code for one position
  const file = join(out, 'results.jsonl')
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  const records = lines.map((line) => JSON.parse(line))
  const record = records.find(({ prompt }) => prompt === 'green square')
  const right = record.tokens[13]
  record.tokens[13] = right + 1 < 23 ? right + 1 : right - 1
  writeFileSync(file, records.map((one) => `${JSON.stringify(one)}\n`).join(''))
  const parted = await sjd2(['replay', join(out, 'manifest.json')])
  expect(parted.exitCode).toBe(1)
  expect(parted.stdout).toMatch(/^identical {2}.*"red circle"$/m)
  expect(parted.stdout).toMatch(
    new RegExp(
      `^differs .*"green square"\\n {2}from position 13 on \\(row 2, column 1\\), committed by pass (\\d+) \\(recorded: \\1\\): ` +
        `code ${right - 7}, recorded ${record.tokens[13] - 7}; 1 of 24 tokens differ\\n {2}probabilities now [\\d.e-]+ and [\\d.e-]+; margin [\\d.e-]+ nats`,
      'm',
    ),
  )
  expect(parted.stdout).toContain('1 of 2 images are identical')

  const wrong = await sjd2(['replay', out, '--model', other.folder])
  expect(wrong).toMatchObject({
    exitCode: 1,
    stdout: '',
    stderr: expect.stringMatching(
      /is not the checkpoint of the run .*model\.safetensors.* differs.*\n.*--any-checkpoint/,
    ),
  })
})

test('a picture says the command that makes it again', async () => {
  const out = join(folder, 'pictures')
  const options = ['--count', '2', '--seed', '5', '--coupling', 'maximal', '--window', '3', '--top-k', '9']
  const made = await sjd2([
    'generate',
    "it's red",
    '--guidance',
    '-0.5',
    ...options,
    '--out',
    out,
    '--model',
    checkpoint.folder,
  ])
  expect(made.exitCode, made.stderr).toBe(0)
  const picture = pictureIn(out, 'it-s-red-s5-1')

  const { stdout, exitCode } = await sjd2(['inspect', picture])
  expect(exitCode).toBe(0)
  expect(stdout).toMatch(/^prompt +it's red$/m)
  expect(stdout).toMatch(/^policy +sjd2:coupling=maximal,window=3 \(exact\)$/m)
  const { command, prompt, index, environment } = JSON.parse(
    (await sjd2(['inspect', picture, '--json'])).stdout,
  )
  expect({ prompt, index, model: environment.model.name }).toEqual({
    prompt: "it's red",
    index: 1,
    model: 'tiny',
  })
  expect(stdout.endsWith(command)).toBe(true)

  const launcher = fileURLToPath(new URL('../../bin/sjd2.mjs', import.meta.url))
  const again = join(folder, 'again')
  // what a user's shell would run, but for the folder
  const sjd2InShell = `sjd2() { '${process.execPath}' '${launcher}' "$@"; }`
  await execa('sh', ['-c', `${sjd2InShell}\n${command.replace(' -- ', ` --out '${again}' -- `)}`])
  const whole = (file: string) => {
    const { environment, ...settings } = readParameters(file)
    return { pixels: decode(readFileSync(file)).data, settings, environment: { ...environment, git: null } }
  }
  expect(whole(join(again, basename(picture)))).toEqual(whole(picture))
})

test('results of a run that the manifest does not know are refused: of none, all would be identical', async () => {
  const stray = join(folder, 'stray')
  mkdirSync(stray)
  writeFileSync(join(stray, 'manifest.json'), JSON.stringify(manifest))
  writeFileSync(join(stray, 'results.jsonl'), `${JSON.stringify(recordOf({ run: 2 }))}\n`)
  const { exitCode, stdout, stderr } = await sjd2(['replay', stray])
  expect(stderr).toMatch(/has images of run 2, of which its manifest\.json says nothing/)
  expect(stdout).toBe('')
  expect(exitCode).not.toBe(0)
})
