import fc from 'fast-check'
import { expect, test } from 'vitest'
import { grouped, type Proposal } from '../../src/index.js'
import { chances, STEPS } from '../support/distributions.js'
import { draftOf, passOf } from '../support/fake-pass.js'

/** Distinct probabilities of 3 to 6 codes: their order leaves no choice. */
const distinct = fc
  .uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 3, maxLength: 6 })
  .map((weights) => Float32Array.from(weights, (w) => w / weights.reduce((sum, x) => sum + x)))

/** Two codes are alike where the square of their distance is less. */
const DISTANCE = 2

/** Places of codes on a line. */
const places = fc.array(fc.double({ min: -1.5, max: 1.5, noNaN: true }), { minLength: 6, maxLength: 6 })

/** The group by its definition, from the codes in the order of `p`: with too few below, the code alone. */
function group(code: number, p: Float32Array, size: number, place: readonly number[]): number[] {
  const order = [...p.keys()].sort((a, b) => p[b] - p[a])
  const rank = order.indexOf(code)
  const from = Math.max(0, rank - Math.floor(size / 2))
  const end = rank + Math.ceil(size / 2) + 1
  if (end > order.length) return [code]
  return order
    .slice(from, end)
    .filter((v) => Math.abs(p[v] - p[code]) < 0.15 && (place[v] - place[code]) ** 2 < DISTANCE)
}

const proposals: [
  string,
  (p: Float32Array) => Proposal,
  (v: number, code: number, count: number) => number,
][] = [
  ['drawn evenly', () => ({ kind: 'uniform' }), (_v, _code, count) => 1 / count],
  ['copied', () => ({ kind: 'one-hot' }), (v, code) => Number(v === code)],
  [
    'drawn from a distribution',
    (p) => ({ kind: 'dense', probabilities: p.slice().reverse() }),
    () => Number.NaN,
  ],
]

test.each(proposals)('a draft that was %s is accepted with probability min(1, p(C) / q(C))', (_, of, q) => {
  fc.assert(
    fc.property(distinct, places, fc.nat(), fc.integer({ min: 1, max: 5 }), (p, place, n, size) => {
      const code = n % p.length
      const embeddings = { table: Float32Array.from(place.slice(0, p.length)), width: 1 }
      const proposal = of(p)
      const proposed = (v: number) =>
        proposal.kind === 'dense' ? proposal.probabilities[v] : q(v, code, p.length)
      const codes = group(code, p, size, place)
      const ratio = codes.reduce((sum, v) => sum + p[v], 0) / codes.reduce((sum, v) => sum + proposed(v), 0)
      const draw = (accept: number, u = 0.5) =>
        grouped(size, DISTANCE).draw(
          draftOf({ code, proposal }),
          passOf(p, { accept, draw: u }, undefined, embeddings),
        ).code
      // Where the group's ratio is below 1 while the code's own is not, the correction can be the code itself.
      const itself = p[code] > proposed(code)
      const kept = chances.filter((accept) => draw(accept) === code).length / STEPS
      if (!itself) expect(Math.abs(kept - Math.min(1, ratio))).toBeLessThan(2 / STEPS)
      else expect(kept).toBeGreaterThan(Math.min(1, ratio) - 2 / STEPS)
      if (ratio > 1 - 2 / STEPS) return
      for (const u of chances.filter((__, i) => i % 10 === 0)) {
        const correction = draw(1 - 2 ** -33, u)
        expect(p[correction]).toBeGreaterThan(proposed(correction))
      }
    }),
    { seed: 1, numRuns: 60 },
  )
})

test('of an odd number, one more stands below the draft in the order than above', () => {
  // five codes 0.01 apart, the draft in the middle: of the group of 3, two are below and one above
  const p = Float32Array.of(0.22, 0.21, 0.2, 0.19, 0.18)
  const proposal = { kind: 'dense', probabilities: Float32Array.of(0, 0, 1, 0, 0) } as const
  const draw = (accept: number) =>
    grouped(3, DISTANCE).draw(draftOf({ code: 2, proposal }), passOf(p, { accept }))
  expect(draw(0.775).code).toBe(2)
  expect(draw(0.785).code).not.toBe(2)
})

test('codes as probable as the draft are behind it in the order, once', () => {
  const p = Float32Array.of(0.25, 0.25, 0.25, 0.25)
  const copy = draftOf({ code: 0, proposal: { kind: 'one-hot' } })
  const kept = (accept: number) => grouped(2, DISTANCE).draw(copy, passOf(p, { accept })).code === 0
  expect([kept(0.49), kept(0.51)]).toEqual([true, false])
})

test('alike are codes whose embeddings, not normalised, are nearer than said', () => {
  const p = Float32Array.of(0.5, 0.5)
  const copy = draftOf({ code: 0, proposal: { kind: 'one-hot' } })
  const kept = (squared: number) => {
    const pass = passOf(p, { accept: 0.9 }, undefined, { table: Float32Array.of(0, 0, 0, 1), width: 2 })
    const deviation = Float32Array.of(9, Math.sqrt(squared))
    const model = { ...pass.model, embeddings: { ...pass.model.embeddings, deviation } }
    return grouped(2, 0.5).draw(copy, { ...pass, model }).code === 0
  }
  expect([kept(0.49), kept(0.51)]).toEqual([true, false])
})

test('a draft of probability 0 is refused, whatever its group has', () => {
  const p = Float32Array.of(0.1, 0.9, 0, 0, 0)
  for (const proposal of [{ kind: 'one-hot' }, { kind: 'uniform' }] as const) {
    const draft = draftOf({ code: 2, proposal })
    for (const draw of chances) {
      expect(p[grouped(3, DISTANCE).draw(draft, passOf(p, { accept: 1e-9, draw })).code]).toBeGreaterThan(0)
    }
  }
})

test('without a draft it draws from p', () => {
  const probabilities = Float32Array.of(0.25, 0.75)
  const drawn = grouped(2, DISTANCE).draw(draftOf({}), passOf(probabilities, { draw: 0.3 }))
  expect(drawn).toEqual({ code: 1, proposal: { kind: 'dense', probabilities } })
})

test('what it says of itself: neither p nor its proposal is what it follows', () => {
  expect(grouped(2, DISTANCE)).toMatchObject({ follows: 'neither', trusting: true })
})
