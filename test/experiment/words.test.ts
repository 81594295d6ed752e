import { expect, test } from 'vitest'
import type { RefusedPrompt, TokenizedPrompt } from '../../src/engine/index.js'
import { type Reader, readWords } from '../../src/experiment/words.js'

const read = { conditional: [5, 6, 1], unconditional: [0, 0, 1], unknown: [] }
const nothing = { ...read, conditional: read.unconditional }
const refused = { refused: { message: 'The prompt has 300 tokens, and may have 90.', remedy: 'Say less.' } }
const words = ['red', 'circle']
const vocabulary = 'The model knows: red, circle.'

/** Prompts of a file, one a line. */
function reading(
  texts: readonly string[],
  tokenized: readonly (TokenizedPrompt | RefusedPrompt)[],
  reader: Partial<Reader> = {},
) {
  const prompts = texts.map((text, i) => ({ text, where: `p.txt:${i + 1}` }))
  return readWords(prompts, tokenized, { known: words, ...reader })
}

test('nothing is said of prompts that the model reads as they are', () => {
  const { tokenized, longest, warnings, leftOut } = reading(['red circle'], [read])
  expect([...tokenized]).toEqual([['red circle', read]])
  expect({ longest, warnings, leftOut }).toEqual({ longest: 3, warnings: [], leftOut: [] })
})

test('unknown words are named once each, and then those that are known', () => {
  const tokenized = [{ ...read, unknown: ['dragon', 'big', 'dragon'] }]
  expect(reading(['red dragon'], tokenized).warnings).toEqual([
    '"red dragon": the model does not know "dragon", "big": left out.',
    vocabulary,
  ])
})

test('words that a prompt is too long for are named', () => {
  const tokenized = [{ ...read, cut: ['red', 'circle'] }, read]
  expect(reading(['red circle red circle', 'red circle'], tokenized).warnings).toEqual([
    '"red circle red circle": the prompt is too long for the model, which reads none of "red", "circle": left out.',
  ])
})

test('a long prompt is named by its beginning', () => {
  const [warning] = reading(['red '.repeat(1000)], [{ ...read, cut: ['red'] }], { known: null }).warnings
  expect(warning).toMatch(/^"(red ){29}red…": the prompt is too long/)
})

test.each([
  [
    'of which the model knows no word',
    { ...nothing, unknown: ['dragon'] },
    'knows no word of the prompt "one"',
  ],
  ['of no words at all', nothing, 'no word of the prompt "one"'],
  [
    'of which nothing is left, of a model that reads vectors',
    { ...nothing, vectors: { prompt: 'one', count: 1 } },
    'no word of the prompt "one"',
  ],
  ['that its adapter refuses', refused, 'The prompt has 300 tokens, and may have 90.'],
])('a prompt %s is refused by its place', (_, tokenized, says) => {
  expect(() => reading(['one', 'red'], [tokenized, read])).toThrow(`p.txt:1: `)
  expect(() => reading(['one', 'red'], [tokenized, read])).toThrow(says)
})

test('so is one with more tokens than the user said, in either branch', () => {
  const long = { ...read, unconditional: [0, 0, 0, 1] }
  expect(() => reading(['red'], [long], { most: 3 })).toThrow(
    'has 4 tokens; --prompt-cells leaves room for 3',
  )
  expect(reading(['red'], [long], { most: 4 }).longest).toBe(4)
})

test('all that are refused are named, a repeated one with all its places, up to ten', () => {
  const texts = ['one', 'red', 'one', ...Array.from({ length: 20 }, (_, i) => `n${i}`)]
  const different = [...new Set(texts)]
  const tokenized = different.map((text) => (text === 'red' ? read : refused))
  expect(() => reading(texts, tokenized)).toThrow(/^p.txt:1, p.txt:3: .*\np.txt:4: [\s\S]*\nAnd 11 more.$/)
})

test('they are left out where the user says so, and it is said which and why', () => {
  const { tokenized, leftOut, longest } = reading(['one', 'red', 'none'], [refused, read, nothing], {
    skip: true,
  })
  expect([...tokenized.keys()]).toEqual(['red'])
  expect(longest).toBe(3)
  expect(leftOut).toEqual([
    { prompt: 'one', where: 'p.txt:1', reason: refused.refused.message },
    { prompt: 'none', where: 'p.txt:3', reason: 'The model knows no word of the prompt "none".' },
  ])
})

test('where all would be left out, none is', () => {
  expect(() => reading(['one'], [refused], { skip: true })).toThrow(refused.refused.message)
})
