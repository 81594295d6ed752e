import fc from 'fast-check'
import { expect, test } from 'vitest'
import { gathered, latentNearest, maximal, nearestCodes } from '../../src/index.js'
import { chances, distribution, pair, STEPS, totalVariation } from '../support/distributions.js'
import { draftOf, passOf } from '../support/fake-pass.js'

/** Codes on a line: nearest to a code are those whose numbers are nearest, of two the lower. */
const line = (count: number) => ({ table: Float32Array.from({ length: count }, (_, v) => v), width: 1 })
const delta = fc.double({ min: 0, max: 0.6, noNaN: true })
const ROUNDING = 1e-6

test('a draft gathers the probability of its nearest codes, as many as the bound allows', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 6 }).chain(distribution), fc.nat(), delta, (p, n, bound) => {
      const code = n % p.length
      const near = nearestCodes(line(p.length), code, 3)
      const relaxed = gathered(p, code, near, bound)
      expect(relaxed.reduce((sum, share) => sum + share)).toBeCloseTo(1, 5)
      expect(totalVariation(p, relaxed)).toBeLessThanOrEqual(bound + ROUNDING)
      const moved = near.filter((v) => relaxed[v] !== p[v])
      const next = near.slice(near.findIndex((v) => p[v] > 0 && relaxed[v] > 0))[0]
      expect(relaxed[code]).toBeCloseTo(
        moved.reduce((sum, v) => sum + p[v], p[code]),
        5,
      )
      p.forEach((share, v) => {
        if (v !== code && !moved.includes(v)) expect(relaxed[v]).toBe(share)
      })
      // One more would break the bound.
      if (near.some((v) => p[v] > 0 && relaxed[v] > 0)) {
        expect(relaxed[code] - p[code] + p[next]).toBeGreaterThan(bound - ROUNDING)
      }
    }),
    { seed: 1, numRuns: 200 },
  )
})

test('a draft is accepted with probability min(1, p(A) / q(d)), and corrected by none of A', () => {
  fc.assert(
    fc.property(pair, delta, ([p, q], bound) => {
      const embeddings = line(p.length)
      const lantern = latentNearest(2, bound)
      q.forEach((share, code) => {
        if (share === 0) return
        const draft = draftOf({ code, proposal: { kind: 'dense', probabilities: q } })
        const draw = (accept: number, u = 0.5) =>
          lantern.draw(draft, passOf(p, { accept, draw: u }, undefined, embeddings)).code
        const near = nearestCodes(embeddings, code, 2)
        const relaxed = gathered(p, code, near, bound)
        const kept = chances.filter((accept) => draw(accept) === code).length / STEPS
        expect(Math.abs(kept - Math.min(1, relaxed[code] / share))).toBeLessThan(2 / STEPS)
        if (kept > 1 - 2 / STEPS) return
        const corrections = new Set(chances.map((u) => draw(1 - 2 ** -33, u)))
        expect([...corrections].every((v) => relaxed[v] > q[v])).toBe(true)
      })
    }),
    { seed: 2, numRuns: 25 },
  )
})

test('with a bound of 0 it is maximal coupling', () => {
  fc.assert(
    fc.property(
      pair.filter(([p]) => p.every((share) => share > 0)),
      fc.nat(),
      ([p, q], n) => {
        const code = n % p.length
        if (q[code] === 0) return
        const draft = draftOf({ code, proposal: { kind: 'dense', probabilities: q } })
        for (const accept of chances.filter((_, i) => i % 20 === 0)) {
          const pass = passOf(p, { accept }, undefined, line(p.length))
          expect(latentNearest(4, 0).draw(draft, pass)).toEqual(maximal.draw(draft, pass))
        }
      },
    ),
    { seed: 3, numRuns: 20 },
  )
})

test('without a draft it draws from p', () => {
  const pass = passOf(Float32Array.of(0.25, 0.75), { draw: 0.3 }, undefined, line(2))
  expect(latentNearest(1, 0.5).draw(draftOf({}), pass).code).toBe(1)
})

test('what it says of itself: neither p nor its proposal is what it follows', () => {
  expect(latentNearest(1, 0.1)).toMatchObject({ follows: 'neither', trusting: true })
})
