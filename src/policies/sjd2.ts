import { chain } from '../decoding/index.js'
import type { PolicyDefinition } from './definition.js'
import { pieces } from './overrides.js'

/**
 * Speculative Jacobi-denoising decoding, exact. Each pass over `x_{n-1}` and the window:
 * 1. positions enter as Gaussian noise on the normalised embedding;
 * 2. accept or correct drafts from the left as SJD does; a noisy entry's draft may be accepted, but ends the
 *    prefix, since the outputs behind it are not the model's true conditionals;
 * 3. couple the drafts behind with `p_j` as MC-SJD does, and take each latent a denoise step towards its
 *    draft's embedding.
 */
export const sjd2: PolicyDefinition = {
  name: 'sjd2',
  summary: 'drafts start as noise and are denoised on their way to the front; exact',
  paper:
    'SJD2: speculative Jacobi-denoising decoding, arXiv 2510.08994, with exact verification and coupled drafts',
  create: (overrides) =>
    chain(pieces('sjd2', { window: 64, init: 'gaussian', coupling: 'maximal', levels: 2 }, overrides)),
}
