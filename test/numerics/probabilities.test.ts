import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkSampling, ImageRandom, probabilities, type Sampling } from '../../src/numerics/index.js'
import { kthLargest } from '../../src/numerics/select.js'
import { reference } from '../support/toy-model.js'

const RELATIVE_ERROR = 2 ** -22
const plain: Sampling = { temperature: 1, topK: 0, topP: 1 }

function made(logits: ArrayLike<number>, sampling: Sampling): Float32Array {
  const out = new Float32Array(logits.length)
  probabilities(Float32Array.from(logits), 0, sampling, out)
  return out
}

function expectClose(actual: Float32Array, expected: readonly number[]): void {
  expected.forEach((p, v) => {
    if (p === 0) expect(actual[v]).toBe(0)
    else if (p > 1e-30) expect(Math.abs(actual[v] / p - 1)).toBeLessThan(RELATIVE_ERROR)
  })
}

// Few distinct values, so that ties are common.
const logit = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.float({ min: -40, max: 40, noNaN: true }))
const logitVector = fc
  .array(logit, { minLength: 1, maxLength: 40 })
  .map((values) => Float32Array.from(values))

describe('against the float64 definition', () => {
  test('temperature and top-k', () => {
    fc.assert(
      fc.property(
        logitVector,
        fc.constantFrom(0, 0.3, 1, 2.5),
        fc.integer({ min: 0, max: 41 }),
        (logits, temperature, topK) => {
          const sampling = { temperature, topK, topP: 1 }
          expectClose(made(logits, sampling), reference(Array.from(logits), sampling))
        },
      ),
      { seed: 1 },
    )
  })

  test('top-p after top-k', () => {
    fc.assert(
      fc.property(
        logitVector,
        fc.integer({ min: 0, max: 41 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (logits, topK, topP) => {
          const sampling = { temperature: 1, topK, topP }
          // Where a set's mass equals topP but for rounding, either set is right.
          for (const p of [topP - 1e-6, topP + 1e-6]) {
            const nearby = reference(Array.from(logits), { ...sampling, topP: p })
            fc.pre(
              nearby.filter((x) => x > 0).length ===
                reference(Array.from(logits), sampling).filter((x) => x > 0).length,
            )
          }
          expectClose(made(logits, sampling), reference(Array.from(logits), sampling))
        },
      ),
      { seed: 1 },
    )
  })

  test('a row of a large vocabulary', () => {
    const logits = new Float32Array(8192)
    new ImageRandom(1, 0).normals(0, 0, logits)
    const values = logits.map((x) => 4 * x)
    for (const sampling of [plain, { ...plain, topK: 2000 }, { temperature: 0.7, topK: 2000, topP: 0.9 }]) {
      expectClose(made(values, sampling), reference(Array.from(values), sampling))
    }
  })
})

test('probabilities sum to 1 to within rounding', () => {
  fc.assert(
    fc.property(logitVector, (logits) => {
      expect(made(logits, plain).reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 6)
    }),
    { seed: 1 },
  )
})

test('ties go to lower codes: top-k, top-p and temperature 0', () => {
  expect([...made([1, 2, 2, 2], { ...plain, topK: 2 })]).toEqual([0, 0.5, 0.5, 0])
  expect([...made([2, 2, 2, 2], { ...plain, topP: 0.5 })]).toEqual([0.5, 0.5, 0, 0])
  expect([...made([1, 3, 3], { ...plain, temperature: 0 })]).toEqual([0, 1, 0])
})

test('top-k tells apart logits whose weights round to the same', () => {
  const p = made([0, -200, -199, -201], { ...plain, topK: 2 })
  expect(p[0]).toBe(1)
  expect(made([-200, 0, -199, -201], { temperature: 100, topK: 2, topP: 1 })[2]).toBeGreaterThan(0)
})

test('top-p keeps at least the most probable code', () => {
  expect([...made([0, 5, 1], { ...plain, topP: 1e-9 })]).toEqual([0, 1, 0])
})

test('reads the row at its offset, and only that', () => {
  const out = new Float32Array(2)
  probabilities(Float32Array.of(Number.NaN, 0, Math.log(3), Number.NaN), 1, plain, out)
  expect(out[0]).toBeCloseTo(0.25, 6)
  expect(out[1]).toBeCloseTo(0.75, 6)
})

test('codes that the model rules out by -infinity get no mass', () => {
  expect([...made([Number.NEGATIVE_INFINITY, 1, 1], plain)]).toEqual([0, 0.5, 0.5])
})

test.each([
  [[Number.NaN, 1]],
  [[1, Number.NaN]],
  [[Number.POSITIVE_INFINITY, 1]],
  [[Number.NEGATIVE_INFINITY]],
])('logits that make no distribution are refused: %s', (logits) => {
  expect(() => made(logits, plain)).toThrow(
    expect.objectContaining({
      message: expect.stringContaining('no distribution'),
      remedy: expect.stringContaining('dtype'),
    }),
  )
})

test.each([
  { ...plain, temperature: -1 },
  { ...plain, temperature: Number.NaN },
  { ...plain, topK: -1 },
  { ...plain, topK: 1.5 },
  { ...plain, topP: 0 },
  { ...plain, topP: 1.1 },
])('settings that make no distribution are refused: %o', (sampling) => {
  expect(() => checkSampling(sampling)).toThrow(RangeError)
})

test('the k-th largest value is the one that sorting finds', () => {
  fc.assert(
    fc.property(logitVector, fc.nat(), (values, n) => {
      const k = (n % values.length) + 1
      const sorted = Float32Array.from(values).sort().reverse()
      expect(kthLargest(Float32Array.from(values), values.length, k)).toBe(sorted[k - 1])
    }),
    { seed: 1 },
  )
})
