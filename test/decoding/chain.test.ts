import { expect, test } from 'vitest'
import {
  above,
  type ChainPieces,
  chain,
  type Draw,
  denoiseByPasses,
  exactPrefix,
  gaussian,
  greedy,
  gumbel,
  type Initializer,
  independent,
  maximal,
  PolicyError,
  random,
  relaxedPrefix,
} from '../../src/index.js'

const clean: ChainPieces = {
  name: 'mine',
  window: 4,
  initialize: random,
  verify: maximal,
  refine: maximal,
  prefix: exactPrefix,
  denoise: null,
}
const noisy: ChainPieces = { ...clean, initialize: gaussian(4), denoise: denoiseByPasses(4) }
const dishonest: Initializer = { ...above, honest: false }
const keeping: Draw = { ...maximal, follows: 'neither' }

test.each<[string, ChainPieces, boolean]>([
  ['coupled drafts, verified', clean, true],
  ['independent drafts, verified', { ...clean, refine: independent }, true],
  ['greedy drafts, verified as what they are', { ...clean, refine: greedy }, true],
  ['Gumbel drafts, verified by their proposals', { ...clean, refine: gumbel }, true],
  ['greedy verification', { ...clean, verify: greedy }, false],
  ['verification that follows nothing known', { ...clean, verify: keeping }, false],
  ['drafts of unknown distribution, trusted', { ...clean, refine: keeping }, false],
  ['drafts of unknown distribution, verified by Gumbel', { ...clean, verify: gumbel, refine: keeping }, true],
  ['first drafts of unknown distribution, trusted', { ...clean, initialize: dishonest }, false],
  [
    'first drafts of unknown distribution, by Gumbel',
    { ...clean, verify: gumbel, initialize: dishonest },
    true,
  ],
  ['noise, exact prefix', noisy, true],
  ['noise, relaxed prefix', { ...noisy, prefix: relaxedPrefix(false) }, false],
  ['no noise, relaxed prefix', { ...clean, prefix: relaxedPrefix(false) }, true],
])('exactness follows from the pieces: %s', (_, pieces, exact) => {
  expect(chain(pieces).exact).toBe(exact)
})

test.each<[string, ChainPieces, boolean]>([
  ['Gumbel verification', { ...clean, verify: gumbel, refine: gumbel }, true],
  ['Gumbel verification of whatever drafts', { ...clean, verify: gumbel }, true],
  ['another verification', { ...clean, refine: gumbel }, false],
  ['Gumbel verification, relaxed', { ...noisy, verify: gumbel, prefix: relaxedPrefix(false) }, false],
  ['no window', { ...clean, verify: gumbel, window: 0 }, false],
  ['a window of its own mind', { ...clean, verify: gumbel, window: () => 3 }, false],
])('the window decides nothing of the image under %s: %s', (_, pieces, free) => {
  expect(chain(pieces).freeWindow).toBe(free)
})

test.each<[string, ChainPieces, string]>([
  ['a window that is no number of drafts', { ...clean, window: -1 }, 'window of mine is -1'],
  ['noise without a way to lose it', { ...noisy, denoise: null }, 'no levels'],
  ['levels without noise', { ...clean, denoise: denoiseByPasses(2) }, 'clean'],
])('refuses %s', (_, pieces, reason) => {
  expect(() => chain(pieces)).toThrow(PolicyError)
  expect(() => chain(pieces)).toThrow(reason)
})
