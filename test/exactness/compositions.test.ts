import { describe, expect, test } from 'vitest'
import {
  above,
  type ChainPieces,
  chain,
  type Draw,
  denoiseByDistance,
  denoiseByPasses,
  exactPrefix,
  gaussian,
  greedy,
  gumbel,
  type ImagePast,
  type Initializer,
  independent,
  left,
  maximal,
  random,
} from '../../src/index.js'
import { decodeToy, testDistribution } from '../support/exactness.js'
import { plainSampling } from '../support/fake-pass.js'
import { conditionalOf, enumerate, toy } from '../support/toy-model.js'

// Pieces that no published policy puts together, but that `chain` calls exact: 4,000 images each against 64
// sequences; a right policy fails for 1 seed in 100,000. Wrong ones fail it: wrong.test.ts.
const SAMPLES = 4000
const ALARM = 1e-5
const model = toy({ layout: [-1, -1, 6, -1, -1, 6, -1, -1], rowLength: 3, codes: 2 })
const truth = await enumerate(model.model, conditionalOf(model, 1), plainSampling)

const clean: ChainPieces = {
  name: 'composed',
  window: 5,
  initialize: left,
  verify: maximal,
  refine: maximal,
  prefix: exactPrefix,
  denoise: null,
}

/** Keeps a draft that p finds likely, and says of no draft what it was drawn from. */
const keepTheLikely: Draw = {
  ...independent,
  follows: 'neither',
  draw(draft, pass) {
    const drawn = independent.draw(draft, pass)
    return draft.code >= 0 && pass.distribution(draft)[draft.code] > 0.5
      ? { ...drawn, code: draft.code }
      : drawn
  },
}

const everyOther: Initializer = {
  name: 'every other noisy',
  honest: true,
  noisy: true,
  start: (position, image, before) => (position % 2 ? gaussian(2) : random).start(position, image, before),
}

/**
 * Wide after a pass that committed much, narrow else; what leaves the window at its end comes back as new.
 */
const breathing = ({ history }: ImagePast) => ((history.at(-1) ?? 5) > 1 ? 5 : 2)

describe('is exact', () => {
  test.each<[string, ChainPieces]>([
    ['Gumbel drafts, verified by their proposals', { ...clean, refine: gumbel }],
    ['greedy drafts, verified as copies are', { ...clean, refine: greedy }],
    [
      'drafts of unknown distribution, verified by Gumbel',
      { ...clean, verify: gumbel, refine: keepTheLikely },
    ],
    ['independent verification', { ...clean, verify: independent, refine: maximal }],
    ['a window that follows acceptance', { ...clean, window: breathing, initialize: above }],
    ['noise in every other position', { ...clean, initialize: everyOther, denoise: denoiseByPasses(2) }],
    [
      'noise by distance in a window that follows acceptance',
      { ...clean, window: breathing, initialize: gaussian(4), denoise: denoiseByDistance(4, 1, 5) },
    ],
  ])('%s', async (_, pieces) => {
    const policy = chain(pieces)
    expect(policy.exact).toBe(true)
    const { pValue } = await testDistribution(decodeToy(model, policy, plainSampling, 2), truth, SAMPLES)
    expect(pValue).toBeGreaterThan(ALARM)
  })
})
