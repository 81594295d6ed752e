import { expect, test } from 'vitest'
import { chiSquare, upperGamma } from './chi-square.js'

// Tables of the chi-square distribution: degrees of freedom, quantile, probability above it.
test.each([
  [1, 3.841459, 0.05],
  [10, 18.307038, 0.05],
  [10, 29.588298, 0.001],
  [80, 124.839224, 0.001],
  [10, 3.940299, 0.95],
])('chi-square with %i degrees above %f has probability %f', (degrees, quantile, probability) => {
  expect(upperGamma(degrees / 2, quantile / 2)).toBeCloseTo(probability, 6)
})

test('pools rare outcomes and condemns impossible ones', () => {
  const truth = new Map([
    ['a', 0.5],
    ['b', 0.496],
    ['c', 0.002],
    ['d', 0.002],
  ])
  const fair = chiSquare(
    new Map([
      ['a', 498],
      ['b', 498],
      ['c', 4],
    ]),
    truth,
  )
  expect(fair.degrees).toBe(2)
  expect(fair.pValue).toBeGreaterThan(0.5)
  expect(
    chiSquare(
      new Map([
        ['a', 500],
        ['e', 1],
      ]),
      truth,
    ).pValue,
  ).toBe(0)
})
