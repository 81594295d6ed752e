import { chmodSync, cpSync, existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type Place, sjd2 } from '../cli/sjd2.js'
import { python, tinyCheckpoint } from '../engine/tiny.js'
import { script } from '../faults/processes.js'
import { pictureIn } from '../support/pictures.js'

const checkpoint = tinyCheckpoint()
const folder = mkdtempSync(join(tmpdir(), 'bad-input-'))

afterAll(() => {
  checkpoint.remove()
  rmSync(folder, { recursive: true })
})

/** Runs `generate` and expects it to fail with a message and a remedy, and to leave nothing. */
async function refused(args: readonly string[], message: RegExp, place: Place = {}, exitCode = 1) {
  const out = join(folder, 'out')
  const result = await sjd2(['generate', '--model', checkpoint.folder, '--out', out, ...args], place)
  expect(result.stderr).toMatch(message)
  expect(result.stderr).toMatch(/\n {2}What to do: ./)
  expect(result.stderr).not.toMatch(/^ +at .*:\d+/m)
  expect(result.stdout).toBe('')
  expect(result.exitCode).toBe(exitCode)
  expect(existsSync(out)).toBe(false)
  return result.stderr
}

describe('a policy', () => {
  test('that does not exist', () => refused(['red', '--policy', 'nope'], /no policy "nope".*\n.*sjd2-paper/))

  test('whose changes make no sense', () =>
    refused(['red', '--policy', 'sjd', '--levels', '3'], /levels makes no sense for sjd/))

  test('with an unknown change', () =>
    refused(['red', '--policy', 'sjd:windw=3'], /"windw" in "sjd:windw=3".*\n.*window/))

  test('file that does not exist', () =>
    refused(['red', '--policy', './mine.ts'], /no policy file .*mine\.ts/))

  test('file that does not compile is refused with file and line, before it runs', async () => {
    const file = join(folder, 'broken.ts')
    const ran = join(folder, 'ran')
    writeFileSync(
      file,
      `import { writeFileSync } from 'node:fs'\nwriteFileSync(${JSON.stringify(ran)}, '')\nconst policy: string = 7\nexport default policy`,
    )
    await refused(['red', '--policy', file], /broken\.ts:3/)
    expect(existsSync(ran)).toBe(false)
  })
})

describe('a checkpoint', () => {
  test('that is missing', () => refused(['red', '--model', join(folder, 'none')], /There is no .*none/))

  test('that is cut short', () => {
    const copy = join(folder, 'short')
    cpSync(checkpoint.folder, copy, { recursive: true })
    truncateSync(join(copy, 'model.safetensors'), 4000)
    return refused(['red', '--model', copy], /model\.safetensors cannot be read/)
  })

  test('that holds no model', () => {
    const copy = join(folder, 'no-model')
    cpSync(checkpoint.folder, copy, { recursive: true })
    writeFileSync(join(copy, 'config.json'), 'not JSON')
    return refused(['red', '--model', copy], /config\.json cannot be read/)
  })
})

describe('a Python', () => {
  test('that is not there', () => refused(['red'], /no Python at/, { env: { SJD2_PYTHON: '/no/python' } }, 2))

  test('that is no program', () => {
    const file = join(folder, 'text')
    writeFileSync(file, 'hello')
    chmodSync(file, 0o644)
    return refused(['red', '--python', file], /could not be started/)
  })

  test('without torch', () => {
    const bare = script(join(folder, 'bare'), `exec "${python}" -S "$@"`)
    return refused(['red', '--python', bare], /torch/)
  })
})

describe('an output folder', () => {
  test('below a file', () => refused(['red', '--out', '/dev/null/x'], /Cannot write .*not a folder/))
  test('where nothing can be made', () => refused(['red', '--out', '/proc/x'], /Cannot write \/proc\/x/))
})

describe('prompts', () => {
  test('of which the model knows no word', () =>
    refused(
      ['dragon flies'],
      /knows no word of the prompt "dragon flies".*\n.*red, green, blue, circle, square/,
    ))

  test('with some unknown words are read without them, and that is said', async () => {
    const out = join(folder, 'some')
    const args = ['generate', 'a red dragon', '--model', checkpoint.folder, '--out', out]
    const { stderr, exitCode } = await sjd2(args)
    expect(stderr).toMatch(/"a red dragon": the model does not know "a", "dragon": left out/)
    expect(stderr).toContain('The model knows: red, green, blue, circle, square.')
    expect(exitCode).toBe(0)
    expect(existsSync(pictureIn(out, 'a-red-dragon-s0-0'))).toBe(true)
  })

  test('from a file that is not there', () =>
    refused(['--prompts', join(folder, 'no.txt')], /does not exist/))

  test('from a file of other things', () => {
    const file = join(folder, 'binary.txt')
    writeFileSync(file, new Uint8Array([0xff, 0xfe, 0x00]))
    return refused(['--prompts', file], /Cannot read the prompts/)
  })

  test('from a file of comments', () => {
    const file = join(folder, 'comments.txt')
    writeFileSync(file, '# nothing\n\n')
    return refused(['--prompts', file], /There is no prompt in/)
  })
})
