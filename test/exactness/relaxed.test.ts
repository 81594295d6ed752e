import { describe, expect, test } from 'vitest'
import { createPolicy, describePolicies, type PolicyOverrides, type Sampling } from '../../src/index.js'
import { decodeToy, testDistribution } from '../support/exactness.js'
import { conditionalOf, enumerate, toy } from '../support/toy-model.js'

// 4,000 images; an exact policy would fail here for all but 1 seed in 100 million.
const SAMPLES = 4000
const sampling: Sampling = { temperature: 1, topK: 0, topP: 1 }
const model = toy({ layout: [-1, -1, -1, -1, -1, -1], rowLength: 2, codes: 2 })

test('policies say whether they are exact', () => {
  const exact = Object.fromEntries(describePolicies().map((policy) => [policy.name, policy.exact]))
  expect(exact).toEqual({
    autoregressive: true,
    jacobi: false,
    sjd: true,
    'sjd-pac': true,
    'mc-sjd': true,
    sjd2: true,
    'sjd2-paper': false,
  })
})

describe('a policy that is declared relaxed leaves the distribution', () => {
  const relaxed: [string, PolicyOverrides][] = [
    ['sjd2-paper', {}],
    ['sjd2-paper', { keepNoisyKeys: true, levels: 3 }],
    ['sjd2', { verify: 'relaxed', coupling: 'maximal', levels: 3 }],
    ['sjd2', { verify: 'relaxed', coupling: 'gumbel', levels: 3 }],
    ['jacobi', {}],
  ]
  test.each(relaxed)('%s %o', async (name, overrides) => {
    const truth = await enumerate(model.model, conditionalOf(model, 1), sampling)
    const policy = createPolicy(name, overrides, model.model)
    expect(policy.exact).toBe(false)
    const { pValue } = await testDistribution(decodeToy(model, policy, sampling, 5), truth, SAMPLES)
    expect(pValue).toBeLessThan(1e-8)
  })
})

test("verified exactly, the paper's policy is exact", () => {
  expect(createPolicy('sjd2-paper', { verify: 'exact' }, model.model).exact).toBe(true)
})
