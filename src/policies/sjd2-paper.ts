import { denoiseByPasses, gaussian, independent, maximal, relaxedPrefix } from '../decoding/index.js'
import { chainPolicy } from './built-in.js'
import { keepNoisyKeys, levels, window } from './changes.js'

/**
 * SJD2 by its paper's own rule: as `sjd2`, but noisy entries are accepted in a run, drafts are drawn anew
 * independently, and every pass is one of about twenty steps from noise to clean. Accepted entries that were
 * noisy are fed again, clean, with the next pass, unless `keepNoisyKeys`. The images do not follow sequential
 * decoding's distribution.
 */
export const sjd2Paper = chainPolicy({
  name: 'sjd2-paper',
  summary: "SJD2 by its paper's rule, which accepts noisy entries: relaxed",
  paper: 'SJD2: speculative Jacobi-denoising decoding, arXiv 2510.08994',
  defaults: 'the paper’s levels; a window within its range',
  parameters: { window: window(96), levels: levels(20), keepNoisyKeys: keepNoisyKeys(false) },
  pieces: ({ window, levels, keepNoisyKeys }) => ({
    window,
    initialize: gaussian(levels),
    verify: maximal,
    refine: independent,
    prefix: relaxedPrefix(keepNoisyKeys),
    denoise: denoiseByPasses(levels),
  }),
})
