import { exactPrefix, independent, maximal, random } from '../decoding/index.js'
import { chainPolicy } from './built-in.js'
import { window } from './changes.js'

/**
 * Speculative Jacobi decoding. Each pass over `x_{n-1}` and the window `d_n … d_{n+W-1}`:
 * 1. accept `d_j` from the left with probability `min(1, p_j(d_j) / q_j(d_j))`; at the first rejection draw
 *    the correction from `norm(max(0, p_j - q_j))`;
 * 2. draw every draft behind it anew, `d_j ~ p_j`, `q_j <- p_j`;
 * 3. slide the window: the pass's last row drafts the position that enters first, the others are random.
 * The official code's window of 16 counts the committed token that a pass feeds before the 15 drafts.
 */
export const sjd = chainPolicy({
  name: 'sjd',
  summary: 'speculative Jacobi decoding: drafts verified like speculative sampling, redrawn independently',
  paper:
    'Teng et al., Accelerating auto-regressive text-to-image generation with training-free SJD, arXiv 2410.01699',
  defaults: 'the official code’s',
  parameters: { window: window(15) },
  pieces: ({ window }) => ({
    window,
    initialize: random,
    verify: maximal,
    refine: independent,
    prefix: exactPrefix,
  }),
})
