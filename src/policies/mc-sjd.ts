import { chain } from '../decoding/index.js'
import type { PolicyDefinition } from './definition.js'
import { pieces } from './overrides.js'

/**
 * SJD with coupled redraws. As SJD, but step 2 keeps a draft behind the rejection with probability `min(1,
 * p_j(d_j) / q_j(d_j))` and else draws it from `norm(max(0, p_j - q_j))`, so that it changes as seldom as its
 * distribution allows (maximal coupling), or by the Gumbel argmax with the position's own noise.
 */
export const mcSjd: PolicyDefinition = {
  name: 'mc-sjd',
  summary:
    'SJD whose drafts stay what they are as often as their distributions allow (coupling over the window)',
  paper: 'MC-SJD: maximal coupling speculative Jacobi decoding, arXiv 2510.24211',
  defaults: 'this project’s',
  create: (overrides) =>
    chain(pieces('mc-sjd', { window: 64, init: 'above', coupling: 'maximal' }, overrides)),
}
