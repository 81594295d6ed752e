import { above, exactPrefix, independent, latentNearest } from '../decoding/index.js'
import { chainPolicy } from './built-in.js'
import { delta, nearest, window } from './changes.js'

/**
 * LANTERN's acceptance in speculative Jacobi decoding (the paper drafts by a second model). As SJD, but step 1 verifies
 * `d_j` against a `p_j` in which `d_j` also has the probability of the codes nearest to it in the picture tokenizer's
 * codebook: of its `nearest` codes as many as have together at most `delta`; above 1, at most `delta - 1` times its own
 * (LANTERN++). It may so accept what top-k rules out. Images leave sequential decoding's distribution: relaxed.
 */
export const lantern = chainPolicy({
  name: 'lantern',
  summary: 'SJD that lends a draft the probability of the codes nearest to it in latent space: relaxed',
  paper:
    'Jang et al., LANTERN: accelerating visual autoregressive models with relaxed speculative decoding, arXiv 2410.03355',
  defaults: 'the official code’s nearest and delta; this project’s window and start',
  parameters: { window: window(32), nearest: nearest(1000), delta: delta(0.1) },
  pieces: ({ window, nearest, delta }) => ({
    window,
    initialize: above,
    verify: latentNearest(nearest, delta),
    refine: independent,
    prefix: exactPrefix,
  }),
})
