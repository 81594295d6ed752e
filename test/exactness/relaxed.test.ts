import { describe, expect, test } from 'vitest'
import { createPolicy, describePolicies, type PolicyOverrides, type Sampling } from '../../src/index.js'
import { decodeToy } from '../support/exactness.js'
import { measureDistance, noiseOf } from '../support/total-variation.js'
import { conditionalOf, enumerate, toy } from '../support/toy-model.js'

// 4,000 images of 64 sequences. Those of an exact policy would be farther from the truth than the limit for 1 seed
// in 100 million; `bench/total-variation.ts` measures more of them.
const SAMPLES = 4000
const ALARM = 1e-8
const sampling: Sampling = { temperature: 1, topK: 0, topP: 1 }
const model = toy({ layout: [-1, -1], rowLength: 2, codes: 8 })
const long = toy({ layout: [-1, -1, -1, -1, -1, -1], rowLength: 2, codes: 2 })

/** GSD's group, of 7 codes below the draft in the order, is for more codes than can be enumerated: here it has two. */
const sharp = toy({ layout: [-1, -1, -1, -1], rowLength: 4, codes: 3, sharpness: 4 })
const front = toy({ layout: [-1, -1, -1, -1, -1], rowLength: 2, codes: 3, sharpness: 4 })
const rows = toy({ layout: [-1, -1, -1], rowLength: 2, codes: 4, sharpness: 4 })

test('policies say whether they are exact', () => {
  const exact = Object.fromEntries(describePolicies().map((policy) => [policy.name, policy.exact]))
  expect(exact).toEqual({
    autoregressive: true,
    jacobi: false,
    sjd: true,
    'sjd-pac': true,
    'sjd++': true,
    'mc-sjd': true,
    gsd: false,
    lantern: false,
    zipar: false,
    pjd: false,
    sjd2: true,
    'sjd2-paper': false,
    'sjd2-tree': true,
  })
})

async function distance(of: typeof model, name: string, overrides: PolicyOverrides) {
  const truth = await enumerate(of.model, conditionalOf(of, 1), sampling)
  const policy = createPolicy(name, overrides, of.model)
  const images = decodeToy(of, policy, sampling, 5)(SAMPLES)
  return { policy, measured: measureDistance(images, truth), ...noiseOf(truth, SAMPLES, ALARM) }
}

describe('a policy that is declared relaxed leaves the distribution', () => {
  const relaxed: [string, PolicyOverrides, typeof model][] = [
    ['sjd2-paper', {}, long],
    ['sjd2-paper', { keepNoisyKeys: true, levels: 3 }, long],
    ['sjd2', { verify: 'relaxed', coupling: 'maximal', levels: 3 }, long],
    ['sjd2', { verify: 'relaxed', coupling: 'gumbel', levels: 3 }, long],
    ['jacobi', {}, model],
    ['gsd', { group: 2, distance: 100 }, sharp],
    ['gsd', { group: 2, distance: 100, init: 'left', coupling: 'maximal' }, sharp],
    ['lantern', { delta: 0.3 }, model],
    ['lantern', { delta: 0.3, init: 'random', coupling: 'maximal' }, model],
    ['mc-sjd', { accept: 'group', group: 2, distance: 100 }, sharp],
    ['sjd', { accept: 'nearest', delta: 0.3 }, model],
    ['zipar', { lag: 1 }, front],
    ['pjd', { lag: 1 }, rows],
    ['pjd', { lag: 1, coupling: 'gumbel' }, rows],
  ]
  test.each(relaxed)('%s %o', async (name, overrides, of) => {
    const { policy, measured, limit } = await distance(of, name, overrides)
    expect(policy.exact).toBe(false)
    expect(measured).toBeGreaterThan(limit)
  })
})

describe('one that is not stays', () => {
  const exact: [string, PolicyOverrides, typeof model][] = [
    ['sjd2-paper', { verify: 'exact' }, long],
    ['gsd', { accept: 'coupling' }, model],
    ['lantern', { accept: 'coupling' }, model],
  ]
  test.each(exact)('%s %o', async (name, overrides, of) => {
    const { policy, measured, limit } = await distance(of, name, overrides)
    expect(policy.exact).toBe(true)
    expect(measured).toBeLessThan(limit)
  })
})

describe('no code outside top-k is in any picture', () => {
  // The same three of eight codes are the likeliest, whatever was fed.
  const allowed = [1, 4, 6]
  const free = toy({ layout: Array.from({ length: 24 }, () => -1), rowLength: 6, codes: 8 })
  const page: typeof free = {
    ...free,
    logits: (cell) => free.logits(cell).map((logit, v) => logit + (allowed.includes(v) ? 10 : 0)),
  }
  const filtered = { ...sampling, topK: allowed.length }
  const relaxed = describePolicies().flatMap(({ name, exact }) => (exact ? [] : [name]))
  const outside = (name: string, overrides: PolicyOverrides) => {
    const policy = createPolicy(name, overrides, page.model)
    const images = decodeToy(page, policy, filtered, 3)(200)
    return images
      .flatMap((tokens) => [...tokens])
      .filter((id) => !allowed.includes(id - page.model.image.first))
  }
  const chosen: [string, PolicyOverrides][] = [
    ...relaxed.filter((name) => name !== 'lantern').map((name): [string, PolicyOverrides] => [name, {}]),
    ['gsd', { group: 3, distance: 100 }],
    ['mc-sjd', { accept: 'group', group: 4, distance: 100, init: 'random' }],
    ['pjd', { accept: 'group', group: 2, distance: 100 }],
    ['lantern', { delta: 5 }], // LANTERN++ lends a multiple of the draft's own probability
  ]
  test.each(chosen)('%s %o', (name, overrides) => {
    expect(outside(name, overrides)).toEqual([])
  })

  test('but by lantern, which lends a draft the probability of codes that look like it', () => {
    expect(outside('lantern', { init: 'random', delta: 0.9 }).length).toBeGreaterThan(0)
  })
})
