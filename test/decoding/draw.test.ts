import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Draft,
  type Draw,
  draftProbability,
  greedy,
  gumbel,
  ImageRandom,
  independent,
  maximal,
  type Proposal,
  type Purpose,
  sample,
  sampleResidual,
  subtract,
} from '../../src/index.js'
import { chiSquare } from '../support/chi-square.js'
import { chances, distribution, pair, STEPS, totalVariation } from '../support/distributions.js'
import { draftOf, passOf } from '../support/fake-pass.js'

/** The share of chances for which a draft is kept. */
function keepShare(draft: Draft, p: Float32Array): number {
  // A chance that keeps nothing and one that keeps all are told apart by `accept` alone: `draw` is left at
  // its middle.
  return (
    chances.filter((accept) => maximal.draw(draft, passOf(p, { accept })).code === draft.code).length / STEPS
  )
}

/** What maximal coupling draws, over all chances and all drafts of the proposal `q`: [count]. */
function marginal(
  q: ArrayLike<number>,
  proposalOf: (code: number) => Proposal,
  p: Float32Array,
): Float64Array {
  const drawn = new Float64Array(p.length)
  for (let code = 0; code < p.length; code += 1) {
    if (q[code] === 0) continue
    const draft = draftOf({ code, proposal: proposalOf(code) })
    const kept = keepShare(draft, p)
    drawn[code] += q[code] * kept
    if (kept > 1 - 1 / STEPS) continue
    // A chance of nearly 1 rejects whatever can be rejected.
    for (const draw of chances) {
      drawn[maximal.draw(draft, passOf(p, { accept: 1 - 2 ** -33, draw })).code] +=
        (q[code] * (1 - kept)) / STEPS
    }
  }
  return drawn
}

function expectSame(drawn: Float64Array, p: Float32Array): void {
  p.forEach((share, v) => {
    expect(Math.abs(drawn[v] - share)).toBeLessThan(4 / STEPS)
  })
}

describe('maximal coupling', () => {
  test('turns a draft of q into one of p: marginals are exact', () => {
    fc.assert(
      fc.property(pair, ([p, q]) => {
        expectSame(
          marginal(q, () => ({ kind: 'dense', probabilities: q }), p),
          p,
        )
      }),
      { seed: 1, numRuns: 40 },
    )
  })

  test('keeps a draft with probability 1 - TV(p, q), the most there can be', () => {
    fc.assert(
      fc.property(pair, ([p, q]) => {
        const kept = q.reduce((sum, share, code) => {
          if (share === 0) return sum
          return sum + share * keepShare(draftOf({ code, proposal: { kind: 'dense', probabilities: q } }), p)
        }, 0)
        expect(Math.abs(kept - (1 - totalVariation(p, q)))).toBeLessThan(2 / STEPS)
      }),
      { seed: 2, numRuns: 40 },
    )
  })

  test('has exact marginals for drafts drawn evenly, and for copies', () => {
    fc.assert(
      fc.property(pair, ([p, q]) => {
        const even = new Float32Array(p.length).fill(1 / p.length)
        expectSame(
          marginal(even, () => ({ kind: 'uniform' }), p),
          p,
        )
        for (let copy = 0; copy < p.length; copy += 1) {
          const oneHot = Float32Array.from(q, (_, v) => Number(v === copy))
          expectSame(
            marginal(oneHot, () => ({ kind: 'one-hot' }), p),
            p,
          )
        }
      }),
      { seed: 3, numRuns: 20 },
    )
  })

  test('keeps a draft of equal distributions for every chance', () => {
    const p = Float32Array.of(0.2, 0.3, 0.5)
    const draft = draftOf({ code: 1, proposal: { kind: 'dense', probabilities: Float32Array.from(p) } })
    expect(maximal.draw(draft, passOf(p, { accept: 1 - 2 ** -33 })).code).toBe(1)
  })

  test('never keeps a draft that p rules out', () => {
    const draft = draftOf({ code: 0, proposal: { kind: 'uniform' } })
    expect(maximal.draw(draft, passOf(Float32Array.of(0, 1), { accept: 2 ** -33 })).code).toBe(1)
  })

  test('draws from p where there is no draft', () => {
    const p = Float32Array.of(0.25, 0.75)
    expect(maximal.draw(draftOf({}), passOf(p, { draw: 0.24 })).code).toBe(0)
    expect(maximal.draw(draftOf({}), passOf(p, { draw: 0.26 })).code).toBe(1)
  })
})

describe('maximal coupling of a draft with a sibling', () => {
  /** Where the draft is refused, or not even asked; `accept` is the sibling's chance. */
  const refused = (p: Float32Array, accept: number, draw = 0.5) => ({
    ...passOf(p, { draw }),
    uniform: (purpose: string, _: number, of = 0) =>
      purpose === 'draw' ? draw : of === 0 ? 1 - 2 ** -33 : accept,
  })

  test('turns two drafts of q into one code of p, the more often one of them', () => {
    fc.assert(
      fc.property(pair, ([p, q]) => {
        const drafts = [...q.keys()].map((code) =>
          draftOf({ code, proposal: { kind: 'dense', probabilities: q } }),
        )
        const drawn = new Float64Array(p.length)
        let [ofFirst, ofEither] = [0, 0]
        for (const first of drafts) {
          const kept = keepShare(first, p)
          ofFirst += q[first.code] * kept
          for (const second of drafts) {
            const share = q[first.code] * q[second.code]
            if (share === 0) continue
            drawn[first.code] += share * kept
            ofEither += share * kept
            if (kept > 1 - 1 / STEPS) continue
            const draw = (accept: number, u?: number) =>
              maximal.draw(first, refused(p, accept, u), [second]).code
            // a sibling that can be refused is never drawn behind its refusal
            const accepted = chances.filter((accept) => draw(accept) === second.code).length / STEPS
            drawn[second.code] += share * (1 - kept) * accepted
            ofEither += share * (1 - kept) * accepted
            if (accepted > 1 - 1 / STEPS) continue
            for (const u of chances) {
              drawn[draw(1 - 2 ** -33, u)] += (share * (1 - kept) * (1 - accepted)) / STEPS
            }
          }
        }
        for (const [v, probability] of p.entries())
          expect(Math.abs(drawn[v] - probability)).toBeLessThan(0.01)
        expect(ofEither).toBeGreaterThan(ofFirst - 1e-6)
      }),
      { seed: 9, numRuns: 12 },
    )
  })
})

// 20,000 draws; a right rule fails for 1 seed in 100,000.
test.each([1, 2, 3])('a draft and %i siblings of another distribution become a code of p', (count) => {
  // what the first refusal leaves must be scaled to 1 before the second is taken from it: else code 2 would be lost
  const [p, q] = [Float32Array.of(0.5, 0.3, 0.2, 0), Float32Array.of(0.1, 0.2, 0.1, 0.6)]
  const random = new ImageRandom(7, count)
  const counts = new Map<string, number>()
  for (let i = 0; i < 20_000; i += 1) {
    const drafts = Array.from({ length: count + 1 }, (_, k) => {
      const code = sample(q, random.uniform('sibling', i, 0, k))
      return draftOf({ code, proposal: { kind: 'dense', probabilities: q } })
    })
    const pass = {
      ...passOf(p, {}),
      uniform: (purpose: Purpose, _: number, of?: number) => random.uniform(purpose, i, 0, of),
    }
    const { code } = maximal.draw(drafts[0], pass, drafts.slice(1))
    counts.set(`${code}`, (counts.get(`${code}`) ?? 0) + 1)
  }
  const truth = new Map([...p].map((share, code) => [`${code}`, share]))
  expect(chiSquare(counts, truth).pValue).toBeGreaterThan(1e-5)
})

describe('residual sampling', () => {
  test('follows norm(max(0, p - q)), and gives no code with p <= q', () => {
    fc.assert(
      fc.property(
        pair.filter(([p, q]) => totalVariation(p, q) > 0.01),
        ([p, q]) => {
          const drawn = new Float64Array(p.length)
          for (const u of [2 ** -33, ...chances, 1 - 2 ** -33]) {
            drawn[sampleResidual(p, { kind: 'dense', probabilities: q }, 0, u)] += 1 / (STEPS + 2)
          }
          expect(p.every((share, v) => share > q[v] || drawn[v] === 0)).toBe(true)
          const mass = totalVariation(p, q)
          expectSame(
            drawn,
            p.map((share, v) => Math.max(0, share - q[v]) / mass),
          )
        },
      ),
      { seed: 5, numRuns: 100 },
    )
  })

  test('of a copy gives another code, and of an even draw one above average', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 5 }).chain(distribution), fc.nat(), (p, n) => {
        const copy = n % p.length
        const codes = (proposal: Proposal) =>
          new Set(chances.map((u) => sampleResidual(p, proposal, copy, u)))
        if (p[copy] < 1) expect(codes({ kind: 'one-hot' })).not.toContain(copy)
        if (p.some((share) => share > 1 / p.length)) {
          const least = Math.min(...[...codes({ kind: 'uniform' })].map((code) => p[code]))
          expect(least).toBeGreaterThan(1 / p.length)
        }
      }),
      { seed: 6, numRuns: 20 },
    )
  })
})

test('where rounding leaves the residual no mass, the correction comes from p', () => {
  const p = Float32Array.of(0.5, 0.5)
  const left = Float64Array.from(p)
  subtract(left, { kind: 'dense', probabilities: Float32Array.from(p) }, 0)
  expect([...left]).toEqual([...p])
  const certain = Float64Array.of(1, 0)
  subtract(certain, { kind: 'one-hot' }, 0)
  expect([...certain]).toEqual([1, 0])
})

test('proposals know the probability of their draft', () => {
  expect(draftProbability({ kind: 'uniform' }, 2, 4)).toBe(0.25)
  expect(draftProbability({ kind: 'one-hot' }, 2, 4)).toBe(1)
  expect(draftProbability({ kind: 'dense', probabilities: Float32Array.of(0.5, 0.25, 0.25) }, 1, 3)).toBe(
    0.25,
  )
})

describe('Gumbel coupling', () => {
  // 4,000 positions; the bound of (1 - TV) / (1 + TV) is known for common Gumbel noise (arXiv 2408.07978);
  // five standard errors of 0.008 are allowed.
  test('keeps drafts at least as often as (1 - TV) / (1 + TV)', () => {
    fc.assert(
      fc.property(pair, ([p, q]) => {
        const exponentials = new Float32Array(p.length)
        let same = 0
        for (let position = 0; position < 4000; position += 1) {
          new ImageRandom(1, 0).exponentials(position, exponentials)
          const code = gumbel.draw(draftOf({}), passOf(q, {}, exponentials)).code
          same += Number(gumbel.draw(draftOf({}), passOf(p, {}, exponentials)).code === code)
        }
        const variation = totalVariation(p, q)
        expect(same / 4000).toBeGreaterThan((1 - variation) / (1 + variation) - 0.04)
      }),
      { seed: 4, numRuns: 10 },
    )
  })

  // 4,000 positions and 12 distributions of 2 to 5 codes; a right draw fails for 12 seeds in a million.
  test('has exact marginals', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 5 }).chain(distribution), (p) => {
        const exponentials = new Float32Array(p.length)
        const counts = new Map<string, number>()
        for (let position = 0; position < 4000; position += 1) {
          new ImageRandom(2, 0).exponentials(position, exponentials)
          const code = `${gumbel.draw(draftOf({}), passOf(p, {}, exponentials)).code}`
          counts.set(code, (counts.get(code) ?? 0) + 1)
        }
        const truth = new Map(
          [...p].map((share, v) => [`${v}`, share] as const).filter(([, share]) => share > 0),
        )
        expect(chiSquare(counts, truth).pValue).toBeGreaterThan(1e-6)
      }),
      { seed: 7, numRuns: 12 },
    )
  })

  test('pays no heed to the draft', () => {
    const exponentials = Float32Array.of(1, 0.1, 1)
    const pass = passOf(Float32Array.of(0.4, 0.3, 0.3), {}, exponentials)
    for (const code of [0, 1, 2]) {
      expect(gumbel.draw(draftOf({ code, proposal: { kind: 'one-hot' } }), pass).code).toBe(1)
    }
  })
})

test('independent draws have exact marginals, whatever the draft', () => {
  fc.assert(
    fc.property(pair, fc.nat(), ([p], n) => {
      const draft = draftOf({ code: n % p.length, proposal: { kind: 'one-hot' } })
      const drawn = new Float64Array(p.length)
      for (const draw of chances) drawn[independent.draw(draft, passOf(p, { draw })).code] += 1 / STEPS
      expectSame(drawn, p)
    }),
    { seed: 8, numRuns: 40 },
  )
})

test.each<[Draw, Proposal['kind']]>([
  [maximal, 'dense'],
  [gumbel, 'dense'],
  [independent, 'dense'],
  [greedy, 'one-hot'],
])('a draft drawn anew says what it was drawn from: %o', (draw, kind) => {
  const p = Float32Array.of(0.1, 0.7, 0.2)
  const { proposal } = draw.draw(draftOf({ code: 1, proposal: { kind: 'uniform' } }), passOf(p, {}))
  expect(proposal.kind).toBe(kind)
  if (proposal.kind === 'dense') expect(proposal.probabilities).toBe(p)
})
