/** The distribution `q_j` that a draft was drawn from. Only the dense one needs a vector. */
export type Proposal =
  /** Drawn from these probabilities, [count]. */
  | { readonly kind: 'dense'; readonly probabilities: Float32Array }
  /** Chosen without chance of its own (a copy, an argmax): all mass on the draft. */
  | { readonly kind: 'one-hot' }
  /** Drawn evenly from all codes. */
  | { readonly kind: 'uniform' }

/** `q(code)` for the very code that was drawn from the proposal, among `count` codes. */
export function draftProbability(proposal: Proposal, code: number, count: number): number {
  if (proposal.kind === 'dense') return proposal.probabilities[code]
  return proposal.kind === 'one-hot' ? 1 : 1 / count
}

/**
 * What is left of `p`, [count] of any sum, for a draft that was refused: `max(0, norm(p) - q)` in place, the correction
 * of speculative sampling (arXiv 2211.17192, eq. 3). Where rounding has left that no mass (`p` equals `q`), `p` stays,
 * which is then the same distribution.
 */
export function subtract(p: Float64Array, proposal: Proposal, code: number): void {
  const total = sum(p)
  if (proposal.kind === 'one-hot') {
    if (total > p[code]) p[code] = 0
    return
  }
  const q = proposal.kind === 'dense' ? proposal.probabilities : null
  const share = (v: number) => Math.max(0, p[v] / total - (q === null ? 1 / p.length : q[v]))
  let rest = 0
  for (let v = 0; v < p.length; v += 1) rest += share(v)
  if (rest > 0) for (let v = 0; v < p.length; v += 1) p[v] = share(v)
}

export function sum(p: ArrayLike<number>): number {
  let total = 0
  for (let v = 0; v < p.length; v += 1) total += p[v]
  return total
}
