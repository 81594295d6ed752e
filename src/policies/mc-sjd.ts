import { above, exactPrefix, maximal } from '../decoding/index.js'
import { chainPolicy } from './built-in.js'
import { window } from './changes.js'

/**
 * SJD with coupled redraws. As SJD, but step 2 keeps a draft behind the rejection with probability `min(1,
 * p_j(d_j) / q_j(d_j))` and else draws it from `norm(max(0, p_j - q_j))`, so that it changes as seldom as its
 * distribution allows (maximal coupling), or by the Gumbel argmax with the position's own noise.
 */
export const mcSjd = chainPolicy({
  name: 'mc-sjd',
  aliases: ['scd'],
  summary:
    'SJD whose drafts stay what they are as often as their distributions allow (coupling over the window)',
  paper: 'MC-SJD: maximal coupling speculative Jacobi decoding (since renamed SCD), arXiv 2510.24211',
  defaults: 'this project’s',
  parameters: { window: window(64) },
  pieces: ({ window }) => ({
    window,
    initialize: above,
    verify: maximal,
    refine: maximal,
    prefix: exactPrefix,
  }),
})
