import { argmax, sample } from '../numerics/index.js'
import type { Draft } from './draft.js'
import type { Pass } from './policy.js'
import { draftProbability, type Proposal, residual, subtract, sum } from './proposal.js'

/** A code, and the distribution to say it was drawn from when it becomes a draft. */
export interface Drawn {
  readonly code: number
  readonly proposal: Proposal
}

/**
 * A way to draw a position's next code from `p_j`, given the draft it holds. The same ways serve to verify
 * (the draft is accepted iff the code drawn equals it, else the code is the correction) and to refine.
 */
export interface Draw {
  readonly name: string
  /**
   * What the code drawn is distributed like, over this draw's randomness and the draft's: the model's `p_j`
   * (then it can verify), or at least the proposal it returns (then it can refine), or neither.
   */
  readonly follows: 'model' | 'proposal' | 'neither'
  /** Whether that holds only for drafts that were themselves distributed like their proposals. */
  readonly trusting: boolean
  /** Whether it reads the model's `codebook`. Absent: it does not. */
  readonly codebook?: boolean
  /** @param siblings other drafts for the same position behind the same ones; where they play no part, left out. */
  draw(draft: Draft, pass: Pass, siblings?: readonly Draft[]): Drawn
}

/**
 * The draft's code with probability `min(1, p/q)`, else one of `norm(max(0, p - q))`, of which first the siblings may
 * be accepted, each against what those before it have left; one of `p` where there is no draft.
 */
export function couple(p: Float32Array, draft: Draft, pass: Pass, siblings: readonly Draft[] = []): number {
  const { position, code, proposal } = draft
  if (proposal === null) return sample(p, pass.uniform('draw', position))
  const q = draftProbability(proposal, code, p.length)
  if (pass.uniform('accept', position) * q < p[code]) return code
  const rest = residual(p, proposal, code)
  for (const [i, sibling] of siblings.entries()) {
    // a sibling that nothing was drawn for is nothing that could be right
    if (sibling.proposal === null) continue
    const chance = pass.uniform('accept', position, i + 1)
    const ofSibling = draftProbability(sibling.proposal, sibling.code, p.length)
    if (chance * ofSibling * sum(rest) < rest[sibling.code]) return sibling.code
    subtract(rest, sibling.proposal, sibling.code)
  }
  return sample(rest, pass.uniform('draw', position))
}

/**
 * Maximal coupling: keep the draft with probability `min(1, p/q)`, else draw from `norm(max(0, p - q))`. As
 * verification it is speculative sampling (arXiv 2211.17192, 2302.01318; SJD, 2410.01699), with siblings the
 * recursive rejection of several drafts (SpecInfer, 2305.09781; SJD-PAC, 2603.18599): each is tried against what the
 * ones before it have left. As refinement, it is MC-SJD (2510.24211). A position without a draft draws from `p`.
 */
export const maximal: Draw = {
  name: 'maximal',
  follows: 'model',
  trusting: true,
  draw(draft, pass, siblings = []) {
    const p = pass.distribution(draft)
    const proposal: Proposal = { kind: 'dense', probabilities: p }
    return { code: couple(p, draft, pass, siblings), proposal }
  },
}

/**
 * Gumbel coupling (common random numbers): `argmax log p + g` with noise that the position keeps for all
 * passes. Drafts play no part in what is drawn, so verified by it an image is sequential decoding's, token
 * for token.
 */
export const gumbel: Draw = {
  name: 'gumbel',
  follows: 'model',
  trusting: false,
  draw: (draft, pass) => ({ code: pass.winner(draft), proposal: pass.proposal(draft) }),
}

/** A new draw from `p` in every pass, whatever the draft: the first SJD's refinement (arXiv 2410.01699). */
export const independent: Draw = {
  name: 'independent',
  follows: 'model',
  trusting: false,
  draw(draft, pass) {
    const p = pass.distribution(draft)
    const code = sample(p, pass.uniform('draw', draft.position))
    return { code, proposal: { kind: 'dense', probabilities: p } }
  },
}

/** The most probable code: Jacobi iteration of greedy decoding (arXiv 2305.10427). Not a sample of `p`. */
export const greedy: Draw = {
  name: 'greedy',
  follows: 'proposal',
  trusting: false,
  draw: (draft, pass) => ({ code: argmax(pass.distribution(draft)), proposal: { kind: 'one-hot' } }),
}
