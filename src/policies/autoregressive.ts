import { chain, exactPrefix, gumbel, random } from '../decoding/index.js'
import { builtIn } from './built-in.js'

/**
 * Sequential decoding, one token a pass: an empty window, and `x_n ~ p_n` by the Gumbel argmax. Policies that
 * verify by Gumbel coupling give its images, token for token, under the same seed.
 */
export const autoregressive = builtIn({
  name: 'autoregressive',
  summary: 'one token a pass: what every other policy is measured against',
  paper: 'sequential decoding',
  defaults: 'none',
  parameters: {},
  changes: [],
  pieces: () => ({ window: 0, initialize: random, verify: gumbel, refine: gumbel, prefix: exactPrefix }),
  compose: chain,
})
