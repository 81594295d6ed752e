import { independent, maximal, random, rowParallel } from '../decoding/index.js'
import { builtIn } from './built-in.js'
import { lag, rows, window } from './changes.js'

/**
 * Parallel Jacobi decoding. SJD in several rows at once, the next of which starts when the one above has `lag` codes.
 * Each pass over `rows` rows and `window` drafts of each, under a row-causal mask:
 * 1. accept each row's `d_j` from its left with probability `min(1, p_j(d_j) / q_j(d_j))`; at the row's first rejection
 *    draw the correction from `norm(max(0, p_j - q_j))`;
 * 2. draw the row's drafts behind it anew, `d_j ~ p_j`, `q_j <- p_j`;
 * 3. slide each row's window; entering positions are random.
 * `p_j` misses what the rows above have not decided: relaxed.
 */
export const pjd = builtIn({
  name: 'pjd',
  summary: 'SJD in several rows of the picture at once, each verified for itself: relaxed',
  paper: 'Liao et al., Parallel Jacobi decoding for fast autoregressive image generation, arXiv 2606.05703',
  defaults: 'this project’s',
  parameters: { window: window(8), rows: rows(3), lag: lag(8) },
  changes: ['init', 'coupling', 'threshold', 'accept', 'group', 'distance', 'nearest', 'delta'],
  pieces: ({ window, rows, lag }) => ({
    rows,
    lag,
    window,
    initialize: random,
    verify: maximal,
    refine: independent,
  }),
  compose: rowParallel,
})
