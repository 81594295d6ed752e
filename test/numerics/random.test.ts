import { expect, test } from 'vitest'
import { ImageRandom } from '../../src/numerics/index.js'
import { chiSquare } from '../support/chi-square.js'

// 65,536 numbers each; a right generator fails a test for fewer than 1 seed in 10,000.
const COUNT = 65_536
const ALARM = 1e-4

const evenly = (bins: number) => new Map(Array.from({ length: bins }, (_, bin) => [String(bin), 1 / bins]))

function countBins(values: Iterable<number>, binOf: (value: number) => number): Map<string, number> {
  const counts = new Map<string, number>()
  for (const value of values) {
    const bin = String(binOf(value))
    counts.set(bin, (counts.get(bin) ?? 0) + 1)
  }
  return counts
}

test('uniform numbers are even, in pairs over positions, images and iterations', () => {
  const bins = 16
  const streams = [
    (i: number) => new ImageRandom(5, 0).uniform('accept', i, 0),
    (i: number) => new ImageRandom(5, 0).uniform('accept', 0, i),
    (i: number) => new ImageRandom(5, i).uniform('accept', 0, 0),
    (i: number) => new ImageRandom(i, 0).uniform('accept', 0, 0),
  ]
  for (const stream of streams) {
    const pairs = Array.from({ length: COUNT / 2 }, (_, i) => {
      const [first, second] = [stream(2 * i), stream(2 * i + 1)]
      return Math.floor(first * bins) * bins + Math.floor(second * bins)
    })
    expect(
      chiSquare(
        countBins(pairs, (pair) => pair),
        evenly(bins * bins),
      ).pValue,
    ).toBeGreaterThan(ALARM)
  }
})

test('uniform numbers lie strictly between 0 and 1, in steps of 2^-32', () => {
  for (let i = 0; i < 1000; i += 1) {
    const u = new ImageRandom(9, 0).uniform('draw', i, 3)
    expect(u).toBeGreaterThan(0)
    expect(u).toBeLessThan(1)
    expect(u * 2 ** 32 - 0.5).toBe(Math.floor(u * 2 ** 32))
  }
})

test('a number depends on seed, image, purpose, position and iteration, each, and on nothing else', () => {
  const number = (
    seed: bigint | number,
    image: number,
    purpose: 'accept' | 'draw',
    position: number,
    pass: number,
  ) => new ImageRandom(seed, image).uniform(purpose, position, pass)
  const base = number(1, 2, 'accept', 3, 4)
  expect(number(1n, 2, 'accept', 3, 4)).toBe(base)
  const others = [
    number(2, 2, 'accept', 3, 4),
    number(1n + (1n << 32n), 2, 'accept', 3, 4),
    number(1, 3, 'accept', 3, 4),
    number(1, 2, 'draw', 3, 4),
    number(1, 2, 'accept', 4, 4),
    number(1, 2, 'accept', 3, 5),
  ]
  expect(new Set([base, ...others]).size).toBe(others.length + 1)
})

test('normal numbers have mean 0, deviation 1 and the right tails, for odd lengths too', () => {
  const values = new Float32Array(COUNT - 1)
  new ImageRandom(3, 1).normals(7, 2, values)
  // Standard errors: 0.004 of the mean, 0.0028 of the deviation; five of each are allowed.
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length
  expect(Math.abs(mean)).toBeLessThan(0.02)
  expect(Math.abs(Math.sqrt(variance) - 1)).toBeLessThan(0.014)
  // Quartiles of the half-normal distribution.
  const quartiles = [0.318639, 0.67449, 1.150349]
  const counts = countBins(values, (x) => quartiles.filter((q) => Math.abs(x) > q).length * 2 + Number(x > 0))
  expect(chiSquare(counts, evenly(8)).pValue).toBeGreaterThan(ALARM)
})

test('a shorter vector of normal or exponential numbers is the beginning of a longer one', () => {
  const random = new ImageRandom(3, 1)
  for (const fill of [
    (out: Float32Array) => random.normals(7, 2, out),
    (out: Float32Array) => random.exponentials(7, out),
  ]) {
    const [short, long] = [new Float32Array(5), new Float32Array(12)]
    fill(short)
    fill(long)
    expect(long.subarray(0, 5)).toEqual(short)
  }
})

test('exponential numbers are exponential, and the same in every pass', () => {
  const values = new Float32Array(COUNT)
  const random = new ImageRandom(4, 0)
  random.exponentials(11, values)
  const bins = 64
  const counts = countBins(values, (e) => Math.min(bins - 1, Math.floor(bins * Math.exp(-e))))
  expect(chiSquare(counts, evenly(bins)).pValue).toBeGreaterThan(ALARM)
  const again = new Float32Array(COUNT)
  random.exponentials(11, again)
  expect(again).toEqual(values)
})

test('seeds and image numbers that would lose bits are refused', () => {
  expect(() => new ImageRandom(2 ** 60, 0)).toThrow('bigint')
  expect(() => new ImageRandom(1.5, 0)).toThrow(RangeError)
  expect(() => new ImageRandom(1, -1)).toThrow(RangeError)
  expect(() => new ImageRandom(1, 2 ** 32)).toThrow(RangeError)
})
