import { denoiseByPasses, exactPrefix, gaussian, gumbel } from '../decoding/index.js'
import { chainPolicy } from './built-in.js'
import { levels, window } from './changes.js'

/**
 * Speculative Jacobi-denoising decoding, exact. Each pass over `x_{n-1}` and the window:
 * 1. positions enter as Gaussian noise on the normalised embedding;
 * 2. accept drafts from the left while each is still `argmax log p_j + g_j` (Gumbel coupling; SJD's rule with
 *    `coupling: maximal`); a noisy entry's draft may be accepted, but ends the prefix, since the outputs behind it are
 *    not the model's true conditionals;
 * 3. draw the drafts behind anew by the same coupling, as MC-SJD does, and take each latent a denoise step towards its
 *    draft's embedding.
 * Both couplings were measured alike in passes; by Gumbel's, an image is sequential decoding's, token for token.
 */
export const sjd2 = chainPolicy({
  name: 'sjd2',
  summary: 'drafts start as noise and are denoised on their way to the front; exact',
  paper:
    'SJD2: speculative Jacobi-denoising decoding, arXiv 2510.08994, with exact verification and coupled drafts',
  defaults: 'this project’s',
  parameters: { window: window(96), levels: levels(1) },
  pieces: ({ window, levels }) => ({
    window,
    initialize: gaussian(levels),
    verify: gumbel,
    refine: gumbel,
    prefix: exactPrefix,
    denoise: denoiseByPasses(levels),
  }),
})
