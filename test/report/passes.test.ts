import { expect, test } from 'vitest'
import {
  commitDistribution,
  committedByCell,
  committedByPosition,
  passesByPrompt,
} from '../../src/report/passes.js'
import { result } from './results.js'

/** Two prompts, the first with two images, of eight codes each. */
const images = [
  [
    [1, 3, 4],
    [2, 2, 4],
  ],
  [[4, 4]],
]
const random = () => 0.4 // every draw of prompts takes the first one twice

test('a prompt’s images stay together', () => {
  const results = [
    result({ prompt: 'a', accepted: [1, 7] }),
    result({ prompt: 'b', accepted: [8] }),
    result({ prompt: 'a', accepted: [8] }),
  ]
  expect(passesByPrompt(results)).toEqual([[[1, 7], [8]], [[8]]])
})

test('codes per pass are sorted by where the pass begins', () => {
  // passes begin at 0, 1, 4 | 0, 2, 4 | 0, 4 of eight
  const halves = committedByPosition(images, 2, random)
  expect(halves.map(({ from, to }) => [from, to])).toEqual([
    [0, 0.5],
    [0.5, 1],
  ])
  expect(halves[0].committed!.mean).toBeCloseTo((1 + 3 + 2 + 2 + 4) / 5)
  expect(halves[0].committed!.low).toBeCloseTo((1 + 3 + 2 + 2) / 4)
  expect(halves[1].committed).toEqual({ mean: 4, low: 4, high: 4 })
  const eighths = committedByPosition(images, 8, random)
  expect(eighths.map(({ committed }) => committed?.mean ?? null)).toEqual([
    7 / 3,
    3,
    2,
    null,
    4,
    null,
    null,
    null,
  ])
})

test('passes are counted in ranges that double, and the shares add up to one', () => {
  const bins = commitDistribution(images, 4, random)
  expect(bins.map(({ label, share }) => [label, share.mean])).toEqual([
    ['1', 1 / 8],
    ['2', 2 / 8],
    ['3+', 5 / 8],
  ])
  expect(bins[0].share).toMatchObject({ low: 1 / 6, high: 1 / 6 })
  expect(
    commitDistribution([[[1, 5, 8, 9]]], 9, random).map(({ label, share }) => [label, share.mean]),
  ).toEqual([
    ['1', 0.25],
    ['2', 0],
    ['3–4', 0],
    ['5–8', 0.5],
    ['9+', 0.25],
  ])
  expect(commitDistribution([[[1, 1]]], 1, random).map(({ label }) => label)).toEqual(['1'])
})

test('each cell is given the size of the pass that committed it', () => {
  expect(committedByCell(images)).toEqual([7 / 3, 9 / 3, 9 / 3, 9 / 3, 4, 4, 4, 4])
})
