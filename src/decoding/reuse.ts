import { sample } from '../numerics/index.js'
import type { Draw } from './draw.js'
import { type Proposal, proposalProbability } from './proposal.js'

/**
 * Token reuse: keep the draft where the model is confident of it, `p(d) >= threshold * q(d)`, else draw from
 * `p` (SJD++, arXiv 2512.07503). The paper goes on as if every draft came from `p`; but one that was kept was
 * selected from `q`, and `min(1, p/q)` accepts it too seldom or too often. What such a draw follows, kept or
 * not, is the mixture `m(v) = q(v) [v is confident] + q(not confident) p(v)`. That is the proposal it returns,
 * and with it verification by `maximal` stays exact.
 *
 * @param threshold 0: keep all that `p` does not rule out; above 1, drafts must have gained to be kept.
 */
export function reuse(threshold: number): Draw {
  return {
    name: 'reuse',
    follows: 'proposal',
    trusting: true,
    draw(draft, pass) {
      const p = pass.distribution(draft)
      const { code, proposal } = draft
      const fresh = () => sample(p, pass.uniform('draw', draft.position))
      if (proposal === null) return { code: fresh(), proposal: { kind: 'dense', probabilities: p } }
      const q = (v: number) => proposalProbability(proposal, code, v, p.length)
      const confident = (v: number) => p[v] > 0 && p[v] >= threshold * q(v)
      return {
        code: confident(code) ? code : fresh(),
        proposal: proposal.kind === 'one-hot' && confident(code) ? proposal : mixture(p, q, confident),
      }
    },
  }
}

/** `m(v) = q(v) [v is kept] + q(not kept) p(v)`. */
function mixture(p: Float32Array, q: (code: number) => number, kept: (code: number) => boolean): Proposal {
  const probabilities = new Float32Array(p.length)
  let dropped = 0
  for (let v = 0; v < p.length; v += 1) {
    if (kept(v)) probabilities[v] = q(v)
    else dropped += q(v)
  }
  for (let v = 0; v < p.length; v += 1) probabilities[v] += dropped * p[v]
  return { kind: 'dense', probabilities }
}
