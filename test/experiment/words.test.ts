import { expect, test } from 'vitest'
import { checkWords } from '../../src/experiment/words.js'

const read = { conditional: [5, 6, 1], unconditional: [0, 0, 1], unknown: [] }
const vocabulary = 'The model knows: red, circle.'

test('nothing is said of prompts that the model reads as they are', () => {
  expect(checkWords(['red circle'], [read], ['red', 'circle'])).toEqual([])
})

test('unknown words are named once each, and then those that are known', () => {
  const tokenized = [{ ...read, unknown: ['dragon', 'big', 'dragon'] }]
  expect(checkWords(['red dragon'], tokenized, ['red', 'circle'])).toEqual([
    '"red dragon": the model does not know "dragon", "big": left out.',
    vocabulary,
  ])
})

test('words that a prompt is too long for are named', () => {
  const tokenized = [{ ...read, cut: ['red', 'circle'] }, read]
  expect(checkWords(['red circle red circle', 'red circle'], tokenized, ['red', 'circle'])).toEqual([
    '"red circle red circle": the prompt is too long for the model, which reads none of "red", "circle": left out.',
  ])
})

test('a prompt of which the model reads nothing is refused', () => {
  const tokenized = [{ ...read, conditional: read.unconditional, unknown: ['dragon'] }]
  expect(() => checkWords(['dragon'], tokenized, ['red', 'circle'])).toThrow('knows no word of the prompt')
})

test('so is a prompt of no words at all', () => {
  const tokenized = [{ ...read, conditional: read.unconditional }]
  expect(() => checkWords(['🦊'], tokenized, ['red', 'circle'])).toThrow('no word of the prompt "🦊"')
})

test('but not one whose ids stand for vectors', () => {
  const tokenized = [{ ...read, conditional: read.unconditional, vectors: new Float32Array(4) }]
  expect(checkWords(['a fox'], tokenized, null)).toEqual([])
})

test('a long prompt is named by its beginning', () => {
  const [warning] = checkWords(['red '.repeat(1000)], [{ ...read, cut: ['red'] }], null)
  expect(warning).toMatch(/^"(red ){29}red…": the prompt is too long/)
})
