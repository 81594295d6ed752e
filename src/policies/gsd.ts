import { exactPrefix, grouped, independent, random } from '../decoding/index.js'
import { chainPolicy } from './built-in.js'
import { distance, group, window } from './changes.js'

/**
 * Grouped speculative decoding. As SJD, but step 1 accepts `d_j` with probability `min(1, p_j(C) / q_j(C))`, summed over
 * the group `C` of codes that may stand for `d_j`: of the 7 below it and the 6 above it in the order of `p_j`, those that
 * are about as probable and whose embeddings are near. All numbers are the official code's; how near is near depends on the
 * checkpoint, and where no two codes are (as in the bundled one, unless `distance` is some 100), this is SJD. Images leave sequential decoding's distribution: relaxed.
 */
export const gsd = chainPolicy({
  name: 'gsd',
  summary: 'SJD that accepts a draft by the probability of its group of similar codes: relaxed',
  paper: 'So et al., Grouped speculative decoding for autoregressive image generation, arXiv 2508.07747',
  defaults: 'the official code’s',
  parameters: { window: window(15), group: group(13), distance: distance(0.5) },
  pieces: ({ window, group, distance }) => ({
    window,
    initialize: random,
    verify: grouped(group, distance),
    refine: independent,
    prefix: exactPrefix,
  }),
})
