import { chain, exactPrefix, greedy, repeat } from '../decoding/index.js'
import { builtIn } from './built-in.js'
import { window } from './changes.js'

/**
 * Greedy Jacobi decoding. Each pass: every draft becomes the most probable code behind the drafts before it;
 * those that stayed what they were, from the left, are final, and so is the first that changed. The fixed
 * point is greedy sequential decoding, whatever the temperature: exact at temperature 0, no sample of the
 * model elsewhere.
 */
export const jacobi = builtIn({
  name: 'jacobi',
  summary: 'greedy fixed-point iteration; equals sequential decoding at temperature 0, and samples nothing',
  paper: 'Santilli et al., Accelerating transformer inference by parallel decoding, arXiv 2305.10427',
  defaults: 'this project’s',
  parameters: { window: window(32) },
  changes: ['init'],
  pieces: ({ window }) => ({
    window,
    initialize: repeat,
    verify: greedy,
    refine: greedy,
    prefix: exactPrefix,
  }),
  compose: chain,
})
