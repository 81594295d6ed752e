import { chain } from '../decoding/index.js'
import type { PolicyDefinition } from './definition.js'
import { pieces } from './overrides.js'

/**
 * SJD with token reuse. As SJD, but step 2 keeps a draft behind the rejection where the model is confident of it,
 * `p_j(d_j) >= threshold q_j(d_j)`, and draws only the others from `p_j`. The paper then sets `q_j <- p_j`, which is not
 * what a kept draft was drawn from; here `q_j` becomes the mixture that it follows (see `reuse`), so that this is exact.
 */
export const sjdPlusPlus: PolicyDefinition = {
  name: 'sjd++',
  summary:
    'SJD that keeps the drafts the model is confident of, made exact by the proposal it records for them',
  paper:
    'Teng et al., SJD++: improved speculative Jacobi decoding for training-free acceleration, arXiv 2512.07503',
  defaults: 'this project’s',
  create: (overrides) => chain(pieces('sjd++', { window: 32, init: 'random', coupling: 'reuse' }, overrides)),
}
