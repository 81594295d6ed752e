import { sample } from '../numerics/index.js'

/** The distribution `q_j` that a draft was drawn from. Only the dense one needs a vector. */
export type Proposal =
  /** Drawn from these probabilities, [count]. */
  | { readonly kind: 'dense'; readonly probabilities: Float32Array }
  /** Chosen without chance of its own (a copy, an argmax): all mass on the draft. */
  | { readonly kind: 'one-hot' }
  /** Drawn evenly from all codes. */
  | { readonly kind: 'uniform' }

let residual = new Float64Array(0)

/** `q(code)`, among `count` codes, of a proposal that `drawn` was drawn from. */
export function proposalProbability(proposal: Proposal, drawn: number, code: number, count: number): number {
  if (proposal.kind === 'dense') return proposal.probabilities[code]
  return proposal.kind === 'one-hot' ? Number(code === drawn) : 1 / count
}

/** `q(code)` for the very code that was drawn from the proposal, among `count` codes. */
export function draftProbability(proposal: Proposal, code: number, count: number): number {
  return proposalProbability(proposal, code, code, count)
}

/**
 * A code from `norm(max(0, p - q))`, the correction of speculative sampling (arXiv 2211.17192, eq. 3), for
 * `u` on (0, 1). Where rounding has left that no mass (`p` equals `q`), from `p` itself, which is then the
 * same distribution.
 */
export function sampleResidual(p: Float32Array, proposal: Proposal, code: number, u: number): number {
  if (residual.length !== p.length) residual = new Float64Array(p.length)
  if (proposal.kind === 'dense') {
    const q = proposal.probabilities
    for (let v = 0; v < p.length; v += 1) residual[v] = p[v] > q[v] ? p[v] - q[v] : 0
  } else if (proposal.kind === 'one-hot') {
    residual.set(p)
    residual[code] = 0
  } else {
    const even = 1 / p.length
    for (let v = 0; v < p.length; v += 1) residual[v] = p[v] > even ? p[v] - even : 0
  }
  const drawn = sample(residual, u)
  return drawn < 0 ? sample(p, u) : drawn
}
