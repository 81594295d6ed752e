import { expect, test } from 'vitest'
import { numbered } from '../../src/experiment/numbering.js'
import { keyOfPrompt } from '../../src/experiment/random.js'
import { ImageRandom } from '../../src/numerics/index.js'

const list = (...texts: string[]) => texts.map((text) => ({ text }))
const of = (prompts: readonly string[], wanted: string, count = 1) =>
  numbered(list(...prompts), { seed: 3, count }).filter(({ prompt }) => prompt === wanted)

test('a picture’s index counts those of its own prompt, whatever stands beside it in the list', () => {
  const alone = of(['🦊'], '🦊', 2)
  expect(alone).toEqual([0, 1].map((index) => ({ prompt: '🦊', seed: 3, index })))
  expect(of(['🔥', '🦊'], '🦊', 2)).toEqual(alone)
  expect(of(['🦊', 'a', 'b', 'a'], '🦊', 2)).toEqual(alone)
})

test('a prompt that occurs again goes on with its index', () => {
  expect(
    numbered(list('a', 'b', 'a'), { seed: 0, count: 2, first: 5 }).map(({ prompt, index }) => prompt + index),
  ).toEqual(['a5', 'a6', 'b5', 'b6', 'a7', 'a8'])
})

test('what a file says of a prompt goes with its own pictures', () => {
  const prompts = [
    { text: 'a', fields: { tag: 'one' } },
    { text: 'b' },
    { text: 'a', fields: { tag: 'two' } },
  ]
  expect(numbered(prompts, { seed: 0 })).toEqual([
    { prompt: 'a', seed: 0, index: 0, fields: { tag: 'one' } },
    { prompt: 'b', seed: 0, index: 0 },
    { prompt: 'a', seed: 0, index: 1, fields: { tag: 'two' } },
  ])
})

test('prompts that differ in anything have random numbers of their own, under every seed', () => {
  const prompts = ['red', 'Red', 'red!', 'red ', '🦊', '🔥', '1\nred', '']
  const keys = prompts.flatMap((prompt) => [0, 1, 11, 2 ** 53 - 1].map((seed) => keyOfPrompt(prompt, seed)))
  expect(new Set(keys).size).toBe(keys.length)
  // no seed's numbers are those of another seed and prompt
  expect(keyOfPrompt('red', 11)).not.toBe(keyOfPrompt('1\nred', 1))
  const first = new ImageRandom(keyOfPrompt('red', 0), 0).uniform('draw', 0, 0)
  expect(new ImageRandom(keyOfPrompt('Red', 0), 0).uniform('draw', 0, 0)).not.toBe(first)
})

test('the numbers of a prompt and seed never change between versions', () => {
  expect(keyOfPrompt('a red circle', 7)).toBe(6292359224852439873n)
})
