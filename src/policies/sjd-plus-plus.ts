import { exactPrefix, maximal, random, reuse } from '../decoding/index.js'
import { chainPolicy } from './built-in.js'
import { threshold, window } from './changes.js'

/**
 * SJD with token reuse. As SJD, but step 2 keeps a draft behind the rejection where the model is confident of it,
 * `p_j(d_j) >= threshold q_j(d_j)`, and draws only the others from `p_j`. The paper then sets `q_j <- p_j`, which is not
 * what a kept draft was drawn from; here `q_j` becomes the mixture that it follows (see `reuse`), so that this is exact.
 */
export const sjdPlusPlus = chainPolicy({
  name: 'sjd++',
  summary:
    'SJD that keeps the drafts the model is confident of, made exact by the proposal it records for them',
  paper:
    'Teng et al., SJD++: improved speculative Jacobi decoding for training-free acceleration, arXiv 2512.07503',
  defaults: 'this project’s',
  parameters: { window: window(32), threshold: threshold(1) },
  pieces: ({ window, threshold }) => ({
    window,
    initialize: random,
    verify: maximal,
    refine: reuse(threshold),
    prefix: exactPrefix,
  }),
})
