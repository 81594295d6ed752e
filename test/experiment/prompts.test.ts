import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { listPrompts, readPrompts } from '../../src/experiment/prompts.js'

const folder = mkdtempSync(join(tmpdir(), 'prompts-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** What is read of a file with these contents; where each stands as its line. */
async function read(contents: string | Uint8Array, name = 'prompts.txt') {
  const file = join(folder, name)
  writeFileSync(file, contents)
  const prompts = await readPrompts(file)
  return prompts.map(({ where, ...prompt }) => ({ ...prompt, line: Number(where?.slice(file.length + 1)) }))
}

describe('a text file', () => {
  test.each([
    ['\n', 'Unix'],
    ['\r\n', 'Windows'],
    ['\r', 'old Macs'],
  ])('is read with the line ends %j of %s, and a byte order mark', async (end) => {
    const lines = ['\ufeff# of mine', ' a red circle ', '', '  ', '#a blue one', 'a ring #2', '']
    expect(await read(lines.join(end))).toEqual([
      { text: 'a red circle', line: 2 },
      { text: 'a ring #2', line: 6 },
    ])
  })

  test('keeps prompts that it repeats', async () => {
    expect((await read('red\nblue\nred\nred\n')).map(({ text }) => text)).toEqual([
      'red',
      'blue',
      'red',
      'red',
    ])
  })

  test.each([
    ['Latin-1', Buffer.from('red\nein grüner Kreis\n', 'latin1'), 'line 2 is not UTF-8'],
    ['UTF-16 with a mark', Buffer.from('\ufeffred\n', 'utf16le'), 'it is UTF-16'],
    ['UTF-16 without one', Buffer.from('red\n', 'utf16le'), 'line 1 holds a zero byte: it is UTF-16'],
    ['a character that is cut off', Buffer.from('red\nblå').subarray(0, 7), 'line 2 is not UTF-8'],
  ])('in another encoding is refused by its name: %s', async (_, bytes, reason) => {
    await expect(read(bytes)).rejects.toMatchObject({
      code: 'bad-prompts-file',
      message: expect.stringContaining(reason),
    })
  })
})

describe('JSON lines', () => {
  // as GenEval's metadata is laid out
  const lines = [
    '{"tag": "counting", "include": [{"class": "clock", "count": 2}], "prompt": "two clocks"}',
    '',
    '{"prompt": "a\u2028b", "tag": "colors"}\r',
    '{"Prompt": "plain"}',
  ]
  const prompts = [
    { text: 'two clocks', line: 1, fields: { tag: 'counting', include: [{ class: 'clock', count: 2 }] } },
    { text: 'a\u2028b', line: 3, fields: { tag: 'colors' } },
    { text: 'plain', line: 4 },
  ]

  test('hold a prompt and other keys, known by the name or by the first line', async () => {
    expect(await read(lines.join('\n'), 'some.jsonl')).toEqual(prompts)
    expect(await read(`\ufeff${lines.join('\n')}\n`, 'some.txt')).toEqual(prompts)
  })

  test('that are wrong are named, all of them', async () => {
    const wrong = [
      '{"prompt": "red"}',
      '{"prompt": "cut \\ud83d"}',
      '{"prompt": 7}',
      '["red"]',
      '{"text": "red"}',
      '{"prompt": " "}',
      'red',
    ]
    await expect(read(wrong.join('\n'), 'wrong.jsonl')).rejects.toThrow(
      /:2: its prompt holds half a surrogate pair.*\n.*:3: its prompt is 7.*\n.*:4: it is no JSON object\.\n.*:5: it has no prompt\.\n.*:6: its prompt is empty\.\n.*:7: it is no JSON:/,
    )
  })

  test('a text that only looks like one is a prompt', async () => {
    expect(await read('{red|blue} circle\n')).toEqual([{ text: '{red|blue} circle', line: 1 }])
  })
})

describe('a table', () => {
  // as PartiPrompts is laid out: tabs, no quotes, a prompt that begins with one
  const lines = [
    'Prompt\tCategory\tChallenge\tNote',
    'fire\tAbstract\tBasic\t',
    '"N O D" in chalk on a wall.\tIllustrations\tWriting & Symbols\tletters',
    'the word "far" on a sign\tWorld Knowledge\tComplex\t',
    '"a sign, ""open"""\tSigns\tBasic\t',
  ]
  const prompts = [
    { text: 'fire', line: 2, fields: { Category: 'Abstract', Challenge: 'Basic' } },
    {
      text: '"N O D" in chalk on a wall.',
      line: 3,
      fields: { Category: 'Illustrations', Challenge: 'Writing & Symbols', Note: 'letters' },
    },
    {
      text: 'the word "far" on a sign',
      line: 4,
      fields: { Category: 'World Knowledge', Challenge: 'Complex' },
    },
    { text: 'a sign, "open"', line: 5, fields: { Category: 'Signs', Challenge: 'Basic' } },
  ]

  test.each(['\n', '\r\n'])(
    'with tabs, known by the name or by its header, and line ends %j',
    async (end) => {
      expect(await read(lines.join(end), 'some.tsv')).toEqual(prompts)
      expect(await read(`${lines.join(end)}${end}`, 'some.txt')).toEqual(prompts)
    },
  )

  test('with commas', async () => {
    const text = 'tag,prompt\ncolours,"a red, or\nblue circle"\n\nshapes,a ring\n'
    expect(await read(text, 'some.csv')).toEqual([
      { text: 'a red, or\nblue circle', line: 2, fields: { tag: 'colours' } },
      { text: 'a ring', line: 5, fields: { tag: 'shapes' } },
    ])
  })

  test('without a column of prompts, or with a row of none, is refused', async () => {
    await expect(read('text\ttag\nred\ta\n', 'wrong.tsv')).rejects.toThrow(
      ':1: the first line names no column Prompt',
    )
    await expect(read('Prompt\ttag\n\ta\n', 'wrong.tsv')).rejects.toThrow(':2: it has no prompt')
  })
})

describe('a list', () => {
  test('names what is wrong by its number', () => {
    expect(() => listPrompts(['red', 'a \ud83d'])).toThrow(
      'prompt 2 cannot be read: it holds half a surrogate',
    )
    expect(() => listPrompts(['\udc00'])).toThrow('The prompt cannot be read')
    expect(listPrompts(['red', 'red'])).toEqual([
      { text: 'red', where: 'prompt 1' },
      { text: 'red', where: 'prompt 2' },
    ])
  })
})
