import { lowest, sample } from '../numerics/index.js'
import type { Draw } from './draw.js'
import type { Model } from './model.js'
import { squaredDistance } from './neighbours.js'
import { proposalProbability, sampleResidual } from './proposal.js'

/** Codes whose probabilities differ by more are no alternatives to each other. */
const CLOSE = 0.15

/**
 * Grouped acceptance: the draft with probability `min(1, p(C) / q(C))`, summed over the group `C` of codes
 * that may stand for it, else a code of `norm(max(0, p - q))` (GSD, arXiv 2508.07747, and its official code). The group
 * is dynamic: of the `size` codes next to the draft in the order of `p`, one more of them below it than above where
 * `size` is odd, those about as probable and not unlike it. Where the order ends before there are enough below, the
 * draft is alone in its group. Relaxed: a draft stays though the model would rather have another of its group; but
 * never one of probability 0, which top-k or top-p rules out.
 *
 * @param distance Codes are alike if the squared distance of their input embeddings, not normalised, is less.
 */
export function grouped(size: number, distance: number): Draw {
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
      if (p[code] === 0) return drawn(sampleResidual(p, proposal, code, chance))
      let [ofModel, ofProposal] = [0, 0]
      for (const v of groupOf(code, p, { size, distance }, pass.model)) {
        ofModel += p[v]
        ofProposal += proposalProbability(proposal, code, v, p.length)
      }
      if (pass.uniform('accept', draft.position) * ofProposal < ofModel) return drawn(code)
      return drawn(sampleResidual(p, proposal, code, chance))
    },
  }
}

interface GroupLimits {
  readonly size: number
  readonly distance: number
}

/** The code itself, and those of its neighbours in the order of `p` that may stand for it. */
function groupOf(
  code: number,
  p: Float32Array,
  { size, distance }: GroupLimits,
  { embeddings }: Model,
): number[] {
  const wanted = (size + 1) >> 1
  const gap = (v: number) => (v === code ? Infinity : Math.abs(p[v] - p[code]))
  const below = lowest(p.length, wanted, (v) => (p[v] > p[code] ? Infinity : gap(v)))
  if (below.length < wanted) return [code]
  const above = lowest(p.length, size >> 1, (v) => (p[v] > p[code] ? gap(v) : Infinity))
  const alike = (v: number) => squaredDistance(embeddings, v, code, embeddings.deviation) < distance
  return [code, ...[...above, ...below].filter((v) => gap(v) < CLOSE && alike(v))]
}
