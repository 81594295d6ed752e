import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { argmax, ImageRandom, race, sample } from '../../src/numerics/index.js'
import { chiSquare } from '../support/chi-square.js'

const TINY = 2 ** -33

const weights = fc
  .array(fc.oneof(fc.constant(0), fc.double({ min: 0, max: 10, noNaN: true })), {
    minLength: 1,
    maxLength: 8,
  })
  .filter((values) => values.some((w) => w > 1e-6))

describe('sampling by the inverse distribution function', () => {
  test('gives each code the share of its weight', () => {
    fc.assert(
      fc.property(weights, (values) => {
        const steps = 2000
        const counts = values.map(() => 0)
        for (let i = 0; i < steps; i += 1) counts[sample(values, (i + 0.5) / steps)] += 1
        const total = values.reduce((sum, w) => sum + w, 0)
        values.forEach((w, v) => {
          expect(Math.abs(counts[v] / steps - w / total)).toBeLessThanOrEqual(1 / steps + 1e-9)
        })
      }),
      { seed: 1, numRuns: 50 },
    )
  })

  test('never draws a code without weight, at the very ends of (0, 1) either', () => {
    fc.assert(
      fc.property(weights, fc.constantFrom(TINY, 0.5, 1 - TINY), (values, u) => {
        expect(values[sample(values, u)]).toBeGreaterThan(0)
      }),
      { seed: 1 },
    )
  })

  test('reaches the first and the last code', () => {
    expect(sample([1, 1, 1], TINY)).toBe(0)
    expect(sample([1, 1, 1], 1 - TINY)).toBe(2)
  })

  test('gives what falls on a border to the code behind it', () => {
    expect(sample([1, 0, 1], 0.5)).toBe(2)
  })

  test('says -1 where nothing has weight', () => {
    expect(sample([0, 0], 0.5)).toBe(-1)
  })
})

test('argmax takes the lowest of equal codes', () => {
  expect(argmax(Float32Array.of(0.2, 0.4, 0.4))).toBe(1)
})

describe('the exponential race', () => {
  test('is the Gumbel argmax', () => {
    const exponentials = new Float32Array(6)
    const p = Float32Array.of(0.05, 0.3, 0, 0.25, 0.2, 0.2)
    for (let position = 0; position < 200; position += 1) {
      new ImageRandom(2, 0).exponentials(position, exponentials)
      const scores = Array.from(p, (share, v) => Math.log(share) - Math.log(exponentials[v]))
      expect(race(p, exponentials)).toBe(scores.indexOf(Math.max(...scores)))
    }
  })

  test('is won as often as the probabilities say (20,000 races; fails for 1 seed in 10,000)', () => {
    const p = Float32Array.of(0.5, 0.25, 0.125, 0.125)
    const exponentials = new Float32Array(4)
    const counts = new Map<string, number>()
    for (let position = 0; position < 20_000; position += 1) {
      new ImageRandom(6, 0).exponentials(position, exponentials)
      const winner = String(race(p, exponentials))
      counts.set(winner, (counts.get(winner) ?? 0) + 1)
    }
    const truth = new Map(Array.from(p, (share, v) => [String(v), share]))
    expect(chiSquare(counts, truth).pValue).toBeGreaterThan(1e-4)
  })
})
