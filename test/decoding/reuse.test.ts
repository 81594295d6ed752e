import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { independent, maximal, type Proposal, reuse } from '../../src/index.js'
import { chances, pair, STEPS, totalVariation } from '../support/distributions.js'
import { draftOf, passOf } from '../support/fake-pass.js'

const threshold = fc.double({ min: 0, max: 2, noNaN: true })

/** What reuse makes of every draft that `q` draws: codes with how often, and the proposal they come with. */
function redraw(p: Float32Array, q: ArrayLike<number>, proposal: Proposal, least: number) {
  const drawn = new Float64Array(p.length)
  const proposals = new Set<string>()
  for (let code = 0; code < p.length; code += 1) {
    if (q[code] === 0) continue
    for (const draw of chances) {
      const found = reuse(least).draw(draftOf({ code, proposal }), passOf(p, { draw }))
      drawn[found.code] += q[code] / STEPS
      if (found.proposal.kind === 'dense') proposals.add(found.proposal.probabilities.join())
    }
  }
  const [recorded = ''] = proposals
  return { drawn, proposals, recorded: Float32Array.from(recorded.split(','), Number) }
}

describe('what reuse draws follows the proposal that it records', () => {
  test('for drafts of any distribution, at any threshold; kept or not, it is the same', () => {
    fc.assert(
      fc.property(pair, threshold, ([p, q], least) => {
        const { drawn, proposals, recorded } = redraw(p, q, { kind: 'dense', probabilities: q }, least)
        expect(proposals.size).toBe(1)
        expect(totalVariation(recorded, drawn)).toBeLessThan(p.length / STEPS)
      }),
      { seed: 1, numRuns: 60 },
    )
  })

  test('for drafts drawn evenly', () => {
    fc.assert(
      fc.property(pair, threshold, ([p], least) => {
        const even = new Float32Array(p.length).fill(1 / p.length)
        const { drawn, proposals, recorded } = redraw(p, even, { kind: 'uniform' }, least)
        expect(proposals.size).toBe(1)
        expect(totalVariation(recorded, drawn)).toBeLessThan(p.length / STEPS)
      }),
      { seed: 2, numRuns: 20 },
    )
  })

  test('for copies: kept ones stay copies, others are drawn from p', () => {
    const p = Float32Array.of(0.7, 0.3)
    const copy = (code: number) =>
      reuse(0.5).draw(draftOf({ code, proposal: { kind: 'one-hot' } }), passOf(p, { draw: 0.1 }))
    expect(copy(0)).toEqual({ code: 0, proposal: { kind: 'one-hot' } })
    expect(copy(1)).toEqual({ code: 0, proposal: { kind: 'dense', probabilities: p } })
  })
})

test('a draft is kept exactly where p(d) >= threshold q(d)', () => {
  fc.assert(
    fc.property(pair, threshold, ([p, q], least) => {
      q.forEach((share, code) => {
        if (share === 0) return
        const draft = draftOf({ code, proposal: { kind: 'dense', probabilities: q } })
        const codes = new Set(chances.map((draw) => reuse(least).draw(draft, passOf(p, { draw })).code))
        const kept = p[code] > 0 && p[code] >= least * share
        if (kept) expect([...codes]).toEqual([code])
        else expect(codes.size).toBe(p.filter((chance) => chance > 1 / STEPS).length)
      })
    }),
    { seed: 3, numRuns: 40 },
  )
})

test('at threshold 1, a draft is kept where nothing has changed', () => {
  const p = Float32Array.of(0.2, 0.8)
  const draft = draftOf({ code: 0, proposal: { kind: 'dense', probabilities: p.slice() } })
  for (const draw of chances) expect(reuse(1).draw(draft, passOf(p, { draw })).code).toBe(0)
})

test('what it says of itself: its proposal is what it follows, for drafts that followed theirs', () => {
  expect(reuse(1)).toMatchObject({ follows: 'proposal', trusting: true })
})

test('a threshold beyond all keeps nothing: independent redraws', () => {
  const p = Float32Array.of(0.2, 0.8)
  const draft = draftOf({ code: 1, proposal: { kind: 'uniform' } })
  for (const draw of chances) {
    const pass = passOf(p, { draw })
    expect(reuse(100).draw(draft, pass)).toEqual(independent.draw(draft, pass))
  }
})

test('without a draft it draws from p, as maximal coupling does', () => {
  const p = Float32Array.of(0.2, 0.8)
  for (const draw of [0.19, 0.21]) {
    const pass = passOf(p, { draw })
    expect(reuse(1).draw(draftOf({}), pass)).toEqual(maximal.draw(draftOf({}), pass))
  }
})
