import { describe, expect, test } from 'vitest'
import {
  createPolicy,
  describePolicies,
  PolicyError,
  type PolicyOverrides,
  policyNames,
} from '../../src/index.js'
import { start } from '../support/fake-pass.js'
import { toy } from '../support/toy-model.js'

const { model } = toy({ layout: Array.from({ length: 24 }, () => -1), rowLength: 6 })
const sequential = { ...model, denoising: null }

function refusal(name: string, overrides: PolicyOverrides, of = model): PolicyError {
  try {
    createPolicy(name, overrides, of)
  } catch (error) {
    if (error instanceof PolicyError) return error
    throw error
  }
  throw new Error(`${name} ${JSON.stringify(overrides)} was not refused.`)
}

test('every policy is described', () => {
  expect(describePolicies().map(({ name }) => name)).toEqual(policyNames)
  for (const { summary, paper } of describePolicies()) {
    expect(summary).not.toContain('\n')
    expect(paper).not.toBe('')
  }
})

test('an unknown policy is refused with those there are', () => {
  const error = refusal('sjd3', {})
  expect(error.message).toContain('"sjd3"')
  for (const name of policyNames) expect(error.remedy).toContain(name)
})

test.each(policyNames)('%s decodes with its own settings', (name) => {
  const page = toy({ layout: Array.from({ length: 60 }, () => -1), rowLength: 20 })
  const { image, worker } = start(page, {
    policy: createPolicy(name, {}, model),
  })
  worker.decode(image)
  expect(image.done).toBe(true)
  if (name === 'autoregressive') expect(worker.passes).toBe(60)
  else expect(worker.passes).toBeLessThan(60)
})

describe('overrides', () => {
  test('of undefined change nothing', () => {
    const policy = createPolicy('sjd2', { window: undefined, init: undefined, levels: undefined }, model)
    const { image } = start(toy({ layout: [-1, -1, -1], rowLength: 3 }), { policy })
    expect(image.drafts[0].noise).not.toBeNull()
  })

  test('change the window, and what enters it', () => {
    const drafts = (overrides: PolicyOverrides) =>
      start(toy({ layout: Array.from({ length: 24 }, () => -1), rowLength: 6 }), {
        policy: createPolicy('sjd2', overrides, model),
      }).image.drafts
    expect(drafts({ window: 5 })).toHaveLength(5)
    expect(drafts({ window: 5, init: 'random' })[0]).toMatchObject({
      proposal: { kind: 'uniform' },
      noise: null,
    })
    expect(drafts({ levels: 7 })[0]).toMatchObject({ noise: { level: 7, timestep: 1 } })
  })

  test('verifiers, couplings and initialisers of different policies combine', () => {
    const create = (name: string, overrides: PolicyOverrides) => createPolicy(name, overrides, model)
    expect(create('sjd2', { init: 'above', coupling: 'reuse', threshold: 0.5, window: 96 }).exact).toBe(true)
    expect(create('sjd++', { threshold: 0.5 }).exact).toBe(true)
    expect(create('gsd', { group: 4, init: 'left' }).exact).toBe(false)
    expect(create('lantern', { nearest: 3, delta: 0.2, coupling: 'maximal' }).exact).toBe(false)
    expect(create('mc-sjd', { accept: 'group', group: 6 }).exact).toBe(false)
    expect(create('sjd2', { coupling: 'gumbel', accept: 'nearest', delta: 0.2, nearest: 3 }).exact).toBe(
      false,
    )
    expect(create('lantern', { accept: 'coupling' }).exact).toBe(true)
    expect(create('gsd', { accept: 'coupling', coupling: 'maximal' }).exact).toBe(true)
    expect(create('sjd-pac', { siblings: 4 }).exact).toBe(true)
    expect(create('sjd-pac', { siblings: 3, depth: 4 }).exact).toBe(true)
  })

  test('levels by distance leave the margin clean after one pass', () => {
    const page = toy({ layout: Array.from({ length: 40 }, () => -1), rowLength: 6 })
    const policy = createPolicy('sjd2', { window: 20, levels: 4, denoise: 'distance', margin: 8 }, model)
    const { image, worker } = start(page, { policy })
    image.advance(worker.forward(image.plan()))
    const levels = image.drafts.map(({ noise }) => noise?.level ?? 0)
    expect(levels.slice(0, 8)).toEqual(Array.from({ length: 8 }, () => 0))
    expect(levels.slice(8).every((level, i) => level > 0 && level >= levels[i + 7])).toBe(true)
  })
})

describe('combinations that make no sense are refused with the reason', () => {
  test.each<[string, PolicyOverrides, string]>([
    ['autoregressive', { window: 4 }, 'autoregressive has no window'],
    ['jacobi', { coupling: 'maximal' }, 'jacobi has no coupling'],
    ['jacobi', { accept: 'group' }, 'jacobi has no accept'],
    ['sjd', { threshold: 0.5 }, 'independent coupling keeps no draft'],
    ['sjd++', { coupling: 'maximal', threshold: 0.5 }, 'maximal coupling keeps no draft'],
    ['sjd', { group: 4 }, 'accepted by their own probability'],
    ['lantern', { group: 4 }, 'accepted by that of the nearest codes'],
    ['gsd', { delta: 0.2 }, 'accepted by that of their group'],
    ['gsd', { nearest: 2 }, 'accepted by that of their group'],
    ['gsd', { group: 0 }, 'group is 0'],
    ['lantern', { nearest: 1.5 }, 'nearest is 1.5'],
    ['lantern', { delta: Number.POSITIVE_INFINITY }, 'delta is Infinity'],
    ['gsd', { distance: -1 }, 'distance is -1'],
    ['sjd', { distance: 1 }, 'accepted by their own probability'],
    ['lantern', { delta: -0.1 }, 'delta is -0.1'],
    ['sjd++', { threshold: -1 }, 'threshold is -1'],
    ['sjd++', { threshold: Number.NaN }, 'threshold is NaN'],
    ['sjd', { accept: 'grudgingly' }, 'no accept "grudgingly"'],
    ['sjd', { levels: 4 }, 'random init starts from codes'],
    ['sjd2', { init: 'above', levels: 4 }, 'above init starts from codes'],
    ['sjd2', { init: 'left', denoise: 'distance' }, 'left init starts from codes'],
    ['mc-sjd', { verify: 'relaxed' }, 'differs from exact at noisy entries only'],
    ['sjd2', { margin: 4 }, 'know no distance'],
    ['sjd2', { denoise: 'distance', margin: 64, window: 64 }, 'no draft of the window of 64 noisy'],
    ['sjd2', { keepNoisyKeys: true }, 'stops at noisy entries'],
    ['sjd2-paper', { keepNoisyKeys: true, verify: 'exact' }, 'stops at noisy entries'],
    ['sjd2', { window: 0 }, 'window is 0'],
    ['sjd2', { window: 2.5 }, 'window is 2.5'],
    ['sjd2', { window: Number.NaN }, 'window is NaN'],
    ['sjd2', { levels: 256 }, 'levels is 256'],
    ['sjd2', { levels: 0 }, 'levels is 0'],
    ['sjd2', { denoise: 'distance', margin: -1 }, 'margin is -1'],
    ['sjd2', { branches: -1 }, 'branches is -1'],
    ['sjd2-tree', { branches: 1_000_000 }, 'branches is 1000000'],
    ['sjd2-tree', { siblings: 2 }, 'the tree of siblings is one of its own'],
    ['sjd-pac', { siblings: 5, depth: 3 }, 'more than the 128 drafts'],
    ['sjd-pac', { siblings: 2, depth: 40 }, 'more than the 128 drafts'],
    ['sjd2', { init: 'below' }, 'no init "below"'],
    ['sjd2', { init: 'toString' }, 'no init "toString"'],
    ['sjd2', { coupling: 'loose' }, 'no coupling "loose"'],
    ['sjd2', { denoise: 'never' }, 'no denoise "never"'],
    ['sjd2', { verify: 'perhaps' }, 'no verify "perhaps"'],
    ['sjd', { rows: 2 }, 'drafts one row after the other'],
    ['sjd2-paper', { lag: 2 }, 'drafts one row after the other'],
    ['zipar', { rows: 2 }, 'zipar has no rows'],
    ['zipar', { lag: 0 }, 'lag of zipar is 0'],
    ['pjd', { rows: 0 }, 'rows of pjd is 0'],
    ['pjd', { lag: 1.5 }, 'lag of pjd is 1.5'],
    ['pjd', { siblings: 2 }, 'pjd has no siblings'],
    ['pjd', { init: 'gaussian' }, 'hold codes only'],
  ])('%s %o', (name, overrides, reason) => {
    const error = refusal(name, overrides)
    expect(error.message).toContain(reason)
    expect(error.remedy).not.toBe('')
  })

  test('noise, for a checkpoint that was not trained to read it', () => {
    expect(refusal('sjd2', {}, sequential).message).toContain('not trained')
    expect(refusal('mc-sjd', { init: 'gaussian' }, sequential).message).toContain('not trained')
    expect(createPolicy('sjd2', { init: 'above' }, sequential).noisy).toBe(false)
  })
})
