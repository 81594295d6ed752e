import { couple, type Draw } from './draw.js'
import { nearestCodes } from './neighbours.js'

/**
 * Latent-nearest acceptance: as `maximal`, but against a `p` in which the draft also has the probability of
 * the codes nearest to it (LANTERN, arXiv 2410.03355): of its `nearest` codes as many, nearest first, as have
 * together at most `delta`, which is then the total variation between the two (`A_{k,delta}` of the paper).
 * Relaxed: the bound holds for one draft, not for what the drafts together make of the distribution.
 */
export function latentNearest(nearest: number, delta: number): Draw {
  return {
    name: 'latent nearest',
    follows: 'neither',
    trusting: true,
    draw(draft, pass) {
      const p = pass.distribution(draft)
      const proposal = { kind: 'dense', probabilities: p } as const
      if (draft.proposal === null) return { code: couple(p, draft, pass), proposal }
      const near = nearestCodes(pass.model.embeddings, draft.code, nearest)
      return { code: couple(gathered(p, draft.code, near, delta), draft, pass), proposal }
    },
  }
}

/** `p` with the probability of the first of `near`, up to `delta` in all, moved to `code`: [count]. */
export function gathered(
  p: Float32Array,
  code: number,
  near: readonly number[],
  delta: number,
): Float32Array {
  const relaxed = Float32Array.from(p)
  let moved = 0
  for (const v of near) {
    if (moved + p[v] > delta) break
    moved += p[v]
    relaxed[v] = 0
  }
  relaxed[code] += moved
  return relaxed
}
