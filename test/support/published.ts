import {
  above,
  type ChainPieces,
  denoiseByPasses,
  exactPrefix,
  fanOut,
  gaussian,
  greedy,
  grouped,
  gumbel,
  independent,
  latentNearest,
  maximal,
  random,
  relaxedPrefix,
  repeat,
  reuse,
  runnersUp,
} from '../../src/index.js'

const sjd = { initialize: random, verify: maximal, refine: independent, prefix: exactPrefix, denoise: null }
const noisy = (levels: number) => ({ initialize: gaussian(levels), denoise: denoiseByPasses(levels) })

/** The methods that work along one row: what enters the window, what verifies, what refines. */
export const published: Record<string, Omit<ChainPieces, 'name'>> = {
  autoregressive: { ...sjd, window: 0, verify: gumbel },
  jacobi: { ...sjd, window: 32, initialize: repeat, verify: greedy, refine: greedy },
  sjd: { ...sjd, window: 15 },
  'sjd++': { ...sjd, window: 32, refine: reuse(1) },
  'mc-sjd': { ...sjd, window: 64, initialize: above, refine: maximal },
  'sjd-pac': { ...sjd, window: 53, refine: maximal, branches: fanOut(3, 2) },
  gsd: { ...sjd, window: 15, verify: grouped(13, 0.5) },
  lantern: { ...sjd, window: 32, initialize: above, verify: latentNearest(1000, 0.1) },
  sjd2: { ...sjd, window: 96, ...noisy(1), verify: gumbel, refine: gumbel },
  'sjd2-tree': {
    ...sjd,
    window: 192,
    ...noisy(1),
    verify: gumbel,
    refine: gumbel,
    branches: runnersUp(120),
  },
  'sjd2-paper': { ...sjd, window: 96, ...noisy(20), prefix: relaxedPrefix(false) },
}
