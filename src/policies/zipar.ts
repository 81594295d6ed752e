import { gumbel, wavefront } from '../decoding/index.js'
import { builtIn } from './built-in.js'
import { lag } from './changes.js'

/**
 * ZipAR. Row `r + 1` starts as soon as row `r` has `lag` codes (the paper's window `s`); each pass feeds one entry of every
 * row under way and draws its next code `x_j ~ p_j`. `p_j` misses the codes at the end of the rows above: relaxed. A picture
 * of `R` rows and `C` columns takes `C + (R - 1) min(lag, C)` passes, where rows end in a new line; where they do not, the
 * first row is drawn whole, and `C - min(lag, C)` more are taken (see `wavefront`).
 *
 * The official code counts its window in tokens of a row: for Lumina-mGPT those include the token that opens it, so that
 * its 16 starts a row behind 15 codes, which is lag 15 here; LlamaGen's 8 is lag 8. In LlamaGen, its entries also see the
 * empty cells of positions that were not fed yet, as keys of zeros; here they see none. The paper's adaptive window is not here.
 */
export const zipar = builtIn({
  name: 'zipar',
  summary: 'one code for each of several rows in a pass, a row starting when the one above is ahead: relaxed',
  paper:
    'He et al., ZipAR: parallel autoregressive image generation through spatial locality, arXiv 2412.04062',
  defaults: 'the official code’s (Lumina-mGPT; for LlamaGen it says lag 8)',
  parameters: { lag: lag(16) },
  changes: [],
  pieces: ({ lag }) => ({ lag, draw: gumbel }),
  compose: wavefront,
})
