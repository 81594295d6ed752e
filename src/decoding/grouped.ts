import { lowest, sample } from '../numerics/index.js'
import type { Draw } from './draw.js'
import type { Model } from './model.js'
import { squaredDistance } from './neighbours.js'
import { proposalProbability, sampleResidual } from './proposal.js'

/** Codes whose probabilities differ by more are no alternatives to each other. */
const CLOSE = 0.15

/**
 * Grouped acceptance: the draft with probability `min(1, p(C) / q(C))`, summed over the group `C` of codes
 * that may stand for it, else a code of `norm(max(0, p - q))` (GSD, arXiv 2508.07747). The group is dynamic:
 * of the `size` codes next to the draft in the order of `p`, those about as probable and not unlike it, which
 * here means nearer in normalised embeddings than two codes are on average. Relaxed: a draft stays though the
 * model would rather have another of its group.
 */
export function grouped(size: number): Draw {
  return {
    name: 'grouped',
    follows: 'neither',
    trusting: true,
    draw(draft, pass) {
      const p = pass.distribution(draft)
      const { code, proposal } = draft
      const chance = pass.uniform('draw', draft.position)
      const drawn = (v: number) => ({ code: v, proposal: { kind: 'dense', probabilities: p } as const })
      if (proposal === null) return drawn(sample(p, chance))
      let [ofModel, ofProposal] = [0, 0]
      for (const v of groupOf(code, p, size, pass.model)) {
        ofModel += p[v]
        ofProposal += proposalProbability(proposal, code, v, p.length)
      }
      if (pass.uniform('accept', draft.position) * ofProposal < ofModel) return drawn(code)
      return drawn(sampleResidual(p, proposal, code, chance))
    },
  }
}

/** The code itself, and those of its `size` neighbours in the order of `p` that may stand for it. */
function groupOf(code: number, p: Float32Array, size: number, { embeddings }: Model): number[] {
  const gap = (v: number) => (v === code ? Infinity : Math.abs(p[v] - p[code]))
  const above = lowest(p.length, size >> 1, (v) => (p[v] > p[code] ? gap(v) : Infinity))
  const below = lowest(p.length, (size + 1) >> 1, (v) => (p[v] > p[code] ? Infinity : gap(v)))
  // Two independent vectors of unit variance in each of `width` dimensions are sqrt(2 width) apart.
  const alike = (v: number) => squaredDistance(embeddings, v, code) < 2 * embeddings.width
  return [code, ...[...above, ...below].filter((v) => gap(v) < CLOSE && alike(v))]
}
