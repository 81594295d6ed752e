import { denoiseByPasses, exactPrefix, gaussian, gumbel, runnersUp } from '../decoding/index.js'
import { chainPolicy } from './built-in.js'
import { branches, levels, window } from './changes.js'

/**
 * SJD2 for the fewest passes, exact. As sjd2, over a window of several rows, and:
 * 4. beside the chain of drafts stand runners-up: a tree grown by always adding the draft whose whole path is the
 *    likeliest to be right. Gumbel coupling decides by `p / e`, the noise `e` is known, and `p` is doubted where the
 *    pass was fed a wrong draft just before: there the second and third code of the race often win after all.
 * Verification follows the path that the noise decides for, whichever draft stands on it.
 */
export const sjd2Tree = chainPolicy({
  name: 'sjd2-tree',
  summary: 'sjd2 over a wide window, with runners-up beside doubtful drafts: the fewest passes; exact',
  paper: "this project's own: SJD2 (arXiv 2510.08994) with Gumbel coupling and a best-first tree of drafts",
  defaults: 'this project’s',
  parameters: { window: window(192), levels: levels(1), branches: branches(120) },
  pieces: ({ window, levels, branches }) => ({
    window,
    initialize: gaussian(levels),
    verify: gumbel,
    refine: gumbel,
    prefix: exactPrefix,
    denoise: denoiseByPasses(levels),
    branches: runnersUp(branches),
  }),
})
