import { chain, greedy } from '../decoding/index.js'
import type { PolicyDefinition } from './definition.js'
import { allowOnly, pieces } from './overrides.js'

/**
 * Greedy Jacobi decoding. Each pass: every draft becomes the most probable code behind the drafts before it;
 * those that stayed what they were, from the left, are final, and so is the first that changed. The fixed
 * point is greedy sequential decoding, whatever the temperature: exact at temperature 0, no sample of the
 * model elsewhere.
 */
export const jacobi: PolicyDefinition = {
  name: 'jacobi',
  summary: 'greedy fixed-point iteration; equals sequential decoding at temperature 0, and samples nothing',
  paper: 'Santilli et al., Accelerating transformer inference by parallel decoding, arXiv 2305.10427',
  defaults: 'this project’s',
  create(overrides) {
    allowOnly('jacobi', ['window', 'init'], overrides)
    const chosen = pieces('jacobi', { window: 32, init: 'repeat', coupling: 'independent' }, overrides)
    return chain({ ...chosen, verify: greedy, refine: greedy })
  },
}
