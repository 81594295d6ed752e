import { couple, type Draw } from './draw.js'
import type { Model } from './model.js'
import { type CodeVectors, nearestCodes } from './neighbours.js'
import { PolicyError } from './policy.js'

/**
 * Latent-nearest acceptance: as `maximal`, but against a `p` in which the draft also has the probability of
 * the codes nearest to it in the picture tokenizer's codebook (LANTERN, arXiv 2410.03355): of its `nearest` codes as
 * many, nearest first, as have together at most `delta`, which is then the total variation between the two
 * (`A_{k,delta}` of the paper). With a `delta` above 1, as many as have at most `(delta - 1) p(d)` (LANTERN++,
 * arXiv 2502.06352, as the official code has it). Relaxed: the bound holds for one draft, not for what the drafts
 * together make of the distribution. A draft that top-k or top-p rules out may be accepted by what it is lent.
 */
export function latentNearest(nearest: number, delta: number): Draw {
  return {
    name: 'latent nearest',
    follows: 'neither',
    trusting: true,
    codebook: true,
    draw(draft, pass) {
      const p = pass.distribution(draft)
      const proposal = { kind: 'dense', probabilities: p } as const
      if (draft.proposal === null) return { code: couple(p, draft, pass), proposal }
      const near = nearestCodes(codebookOf(pass.model), draft.code, nearest)
      const bound = delta > 1 ? (delta - 1) * p[draft.code] : delta
      return { code: couple(gathered(p, draft.code, near, bound), draft, pass), proposal }
    },
  }
}

function codebookOf({ codebook }: Model): CodeVectors {
  if (codebook !== undefined) return codebook
  throw new PolicyError(
    'A draft is to be compared with its nearest codes, and the codebook of the pictures was not fetched.',
    'Call session.fit(policy) before decoding; a policy of your own says codebook: true.',
  )
}

/** `p` with the probability of the first of `near`, up to `bound` in all, moved to `code`: [count]. */
export function gathered(p: Float32Array, code: number, near: Iterable<number>, bound: number): Float32Array {
  const relaxed = Float32Array.from(p)
  let moved = 0
  for (const v of near) {
    if (moved + p[v] > bound) break
    moved += p[v]
    relaxed[v] = 0
  }
  relaxed[code] += moved
  return relaxed
}
