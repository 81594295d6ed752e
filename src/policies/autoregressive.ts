import { chain, exactPrefix, gumbel, random } from '../decoding/index.js'
import type { PolicyDefinition } from './definition.js'
import { allowOnly } from './overrides.js'

/**
 * Sequential decoding, one token a pass: an empty window, and `x_n ~ p_n` by the Gumbel argmax. Policies that
 * verify by Gumbel coupling give its images, token for token, under the same seed.
 */
export const autoregressive: PolicyDefinition = {
  name: 'autoregressive',
  summary: 'one token a pass: what every other policy is measured against',
  paper: 'sequential decoding',
  defaults: 'none',
  create(overrides) {
    allowOnly('autoregressive', [], overrides)
    return chain({
      name: 'autoregressive',
      window: 0,
      initialize: random,
      verify: gumbel,
      prefix: exactPrefix,
      refine: gumbel,
      denoise: null,
    })
  },
}
