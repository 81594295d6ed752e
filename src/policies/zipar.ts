import { gumbel, random, rowParallel } from '../decoding/index.js'
import { builtIn } from './built-in.js'
import { lag } from './changes.js'

/**
 * ZipAR. Row `r + 1` starts as soon as row `r` has `lag` codes (the paper's window `s`); each pass draws one code
 * `x_j ~ p_j` for every row under way. `p_j` misses the codes at the end of the rows above: relaxed. A picture of `R`
 * rows and `C` columns takes `C + (R - 1) min(lag, C)` passes. Its official code feeds one entry a row and keeps the keys that each first had;
 * here they are computed anew (see `rowParallel`). The paper's adaptive window is not here.
 */
export const zipar = builtIn({
  name: 'zipar',
  summary: 'one code for each of several rows in a pass, a row starting when the one above is ahead: relaxed',
  paper:
    'He et al., ZipAR: parallel autoregressive image generation through spatial locality, arXiv 2412.04062',
  defaults: 'the official code’s (LlamaGen; for Lumina-mGPT it says lag 16)',
  parameters: { lag: lag(8) },
  changes: [],
  pieces: ({ lag }) => ({
    rows: Infinity,
    lag,
    window: 0,
    initialize: random,
    verify: gumbel,
    refine: gumbel,
  }),
  compose: rowParallel,
})
