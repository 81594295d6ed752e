import { expect, test } from 'vitest'
import {
  above,
  type ChainPieces,
  chain,
  createPolicy,
  type DecodingPolicy,
  denoiseByPasses,
  exactPrefix,
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
  Trajectory,
} from '../../src/index.js'
import { plainSampling } from '../support/fake-pass.js'
import { FakeWorker } from '../support/fake-worker.js'
import { toy } from '../support/toy-model.js'

const page = toy({ layout: Array.from({ length: 60 }, () => -1), rowLength: 10, codes: 8 })

/** What a policy does of three images: every draft of every pass, and what came of it. */
function behaviour(policy: DecodingPolicy): unknown {
  return [1, 2, 3].map((seed) => {
    const records: unknown[] = []
    const options = { model: page.model, policy, sampling: plainSampling, seed, index: 0 }
    const image = new Trajectory({ ...options, onPass: (record) => records.push(record) })
    new FakeWorker(page).decode(image)
    return { tokens: image.tokens, records }
  })
}

const sjd = { initialize: random, verify: maximal, refine: independent, prefix: exactPrefix, denoise: null }
const noisy = (levels: number) => ({ initialize: gaussian(levels), denoise: denoiseByPasses(levels) })

/** Those of the published methods whose pass is a chain: what enters the window, what verifies, what refines. */
const published: Record<string, Omit<ChainPieces, 'name'>> = {
  autoregressive: { ...sjd, window: 0, verify: gumbel },
  jacobi: { ...sjd, window: 32, initialize: repeat, verify: greedy, refine: greedy },
  sjd: { ...sjd, window: 32 },
  'sjd++': { ...sjd, window: 32, refine: reuse(1) },
  'mc-sjd': { ...sjd, window: 64, initialize: above, refine: maximal },
  gsd: { ...sjd, window: 32, verify: grouped(14) },
  lantern: { ...sjd, window: 32, initialize: above, verify: latentNearest(32, 0.1) },
  sjd2: { ...sjd, window: 96, ...noisy(1), verify: gumbel, refine: gumbel },
  'sjd2-paper': { ...sjd, window: 96, ...noisy(20), prefix: relaxedPrefix(false) },
}

test.each(Object.entries(published))('%s does what its pieces do', (name, pieces) => {
  expect(behaviour(createPolicy(name, {}, page.model))).toEqual(behaviour(chain({ name, ...pieces })))
})

test('and no two of them do the same', () => {
  const all = Object.entries(published).map(([name, pieces]) =>
    JSON.stringify(behaviour(chain({ name, ...pieces }))),
  )
  expect(new Set(all).size).toBe(all.length)
})
