import { describe, expect, test } from 'vitest'
import { createPolicy, describePolicies, type PolicyOverrides, type Sampling } from '../../src/index.js'
import { decodeToy, testDistribution } from '../support/exactness.js'
import { guidedConditional } from '../support/guided.js'
import { enumerate, type ToyOptions, toy } from '../support/toy-model.js'

// Chi-square over whole sequences (64 or 81 of them, fewer under filters): 4,000 images for each combination
// of pieces. A right policy fails for 1 seed in 100,000, any of these 233 tests for 1 in 430; seeds are fixed,
// so that the tests give the same answer every time. That wrong policies fail it is shown in wrong.test.ts.
const SAMPLES = 4000
const ALARM = 1e-5

const plain: Sampling = { temperature: 1, topK: 0, topP: 1 }
const long: ToyOptions = { layout: [-1, -1, -1, -1, -1, -1], rowLength: 2, codes: 2 }
const many: ToyOptions = { layout: [-1, -1, -1, -1], rowLength: 2, codes: 3 }
// Forced ids before, within, after and behind the rows; 11 is an image code elsewhere.
const forced: ToyOptions = { layout: [4, 5, -1, -1, 6, -1, 11, -1, 6, -1, -1, 7], rowLength: 3, codes: 2 }

interface Setting {
  readonly title: string
  readonly options: ToyOptions
  readonly window: number
  readonly sampling: Sampling
  readonly guidance?: number
}

const settings: Setting[] = [
  { title: 'no filter', options: long, window: 4, sampling: plain },
  { title: 'guidance 3', options: long, window: 4, sampling: plain, guidance: 3 },
  { title: 'temperature 0.6', options: many, window: 3, sampling: { ...plain, temperature: 0.6 } },
  { title: 'top-k 2', options: many, window: 3, sampling: { ...plain, topK: 2 } },
  { title: 'top-p 0.8', options: many, window: 3, sampling: { ...plain, topP: 0.8 } },
  { title: 'forced tokens', options: forced, window: 4, sampling: plain },
  {
    title: 'all of them',
    options: { ...forced, codes: 3 },
    window: 3,
    sampling: { temperature: 1.3, topK: 2, topP: 0.9 },
    guidance: 2,
  },
]

const starts: (PolicyOverrides & { init: string })[] = [
  ...['random', 'repeat', 'left', 'likeliest', 'above', 'vertical'].map((init) => ({ init })),
  { init: 'gaussian', levels: 1 },
  { init: 'gaussian', levels: 3 },
  { init: 'gaussian', levels: 3, denoise: 'distance', margin: 1 },
]

const reusing: PolicyOverrides[] = [
  {},
  { init: 'above', threshold: 0.3 },
  { init: 'random', threshold: 0.7, window: 2 },
  { init: 'gaussian', levels: 2, threshold: 1.2 },
]

const couplings = ['independent', 'maximal', 'gumbel']

/** Whatever calls itself exact as it comes. */
const exact = describePolicies().flatMap((policy) => (policy.exact ? [policy.name] : []))

const show = (overrides: PolicyOverrides) =>
  Object.entries(overrides)
    .map(([option, value]) => `${option} ${value}`)
    .join(', ')

describe.each(settings)('$title', ({ options, window, sampling, guidance = 1 }) => {
  const model = toy(options)
  const truth = enumerate(model.model, guidedConditional(model, guidance), sampling)

  async function pValue(name: string, overrides: PolicyOverrides, seed: number) {
    const policy = createPolicy(name, overrides, model.model)
    expect(policy.exact).toBe(true)
    const decode = decodeToy(model, policy, sampling, seed, guidance)
    return (await testDistribution(decode, await truth, SAMPLES)).pValue
  }

  // What guidance changes is the same for all that starts from codes, and for all noise: one or two of each do.
  const some =
    guidance === 1 ? starts : [{ init: 'random' }, { init: 'above' }, { init: 'gaussian', levels: 3 }]
  const combinations = some.flatMap((start) => couplings.map((coupling) => ({ ...start, coupling, window })))
  test.each(combinations.map((overrides, seed) => [show(overrides), overrides, seed] as const))(
    'sjd2: %s',
    async (_, overrides, seed) => {
      expect(await pValue('sjd2', overrides, 100 + seed)).toBeGreaterThan(ALARM)
    },
  )

  const trees: PolicyOverrides[] = [
    { init: 'above', coupling: 'maximal', siblings: 2, depth: 2 },
    { init: 'random', coupling: 'maximal', siblings: 3, depth: 1 },
    { init: 'gaussian', levels: 2, coupling: 'maximal', siblings: 2, depth: 3 },
    { init: 'above', coupling: 'gumbel', branches: 5 },
    { init: 'gaussian', levels: 1, coupling: 'gumbel', branches: 9 },
  ]
  test.each(trees.map((overrides, seed) => [show(overrides), overrides, seed] as const))(
    'a tree: %s',
    async (_, overrides, seed) => {
      expect(await pValue('sjd2', { ...overrides, window }, 50 + seed)).toBeGreaterThan(ALARM)
    },
  )

  test.each(exact)('%s as it is', async (name) => {
    expect(await pValue(name, {}, 7)).toBeGreaterThan(ALARM)
  })

  test.each(reusing.map((overrides, seed) => [show(overrides), overrides, seed] as const))(
    'sjd++: %s',
    async (_, overrides, seed) => {
      expect(await pValue('sjd++', overrides, 200 + seed)).toBeGreaterThan(ALARM)
    },
  )

  test.each([1, 2])('a window of %i', async (narrow) => {
    expect(await pValue('mc-sjd', { window: narrow }, 20 + narrow)).toBeGreaterThan(ALARM)
    expect(await pValue('sjd2', { window: narrow, levels: 2 }, 30 + narrow)).toBeGreaterThan(ALARM)
  })
})
