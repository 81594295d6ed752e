import { describe, expect, test } from 'vitest'
import {
  chain,
  createPolicy,
  type DecodingPolicy,
  denoiseByPasses,
  exactPrefix,
  gaussian,
  gumbel,
  independent,
  latentNearest,
  left,
  type PolicyOverrides,
  policyNames,
  random,
  rowParallel,
  runnersUp,
  wavefront,
} from '../../src/index.js'
import {
  alwaysAccepting,
  exactInName,
  keptSaidToComeFromModel,
  oneNoiseForAll,
  proposalsLeftStale,
  residualLeftOut,
  siblingsTriedAgainstAll,
} from '../support/broken.js'
import { decodeToy, testDistribution } from '../support/exactness.js'
import { plainSampling } from '../support/fake-pass.js'
import { byNearest, inGroups, lawOfRows, lawOfWavefront, lawOfWindow } from '../support/own-law.js'
import { published } from '../support/published.js'
import { measureDistance, noiseOf } from '../support/total-variation.js'
import { conditionalOf, enumerate, type Toy, toy } from '../support/toy-model.js'

// Every policy against the law of its images, and the same policy with its rule broken, which must fail the same test by
// far. 4,000 images; a right policy fails for 1 seed in 100,000.
const SAMPLES = 4000
const ALARM = 1e-5

const page = toy({ layout: [-1, -1, 6, -1, -1, 6, -1, -1], rowLength: 3, codes: 2 })
const square = toy({ layout: [-1, -1, -1, -1], rowLength: 2, codes: 3, sharpness: 4 })
const window = toy({ layout: [-1, -1, -1], rowLength: 3, codes: 5 })
const rows = toy({ layout: [-1, -1, -1], rowLength: 2, codes: 4, sharpness: 4 })

type Law = ReadonlyMap<string, number>
type LawOf = (of: Toy) => Promise<Law>

const sequential: LawOf = (of) => enumerate(of.model, conditionalOf(of, 1), plainSampling)
const likeliest: LawOf = (of) =>
  enumerate(of.model, conditionalOf(of, 1), { ...plainSampling, temperature: 0 })
/** Where the first draft of the first row, drawn evenly, is refused: else the row is complete before the next begins. */
const whereRefused = (share: number, count: number) => 1 - Math.min(1 / count, share) / share

interface Case {
  readonly name: string
  readonly overrides?: PolicyOverrides
  readonly of: Toy
  readonly law: LawOf
  readonly broken: DecodingPolicy
}

/** A published method, one of its pieces exchanged. */
const breaking = (name: string, pieces: Partial<Parameters<typeof chain>[0]>): DecodingPolicy =>
  chain({ name, ...published[name], ...pieces })

const sideBySide = { rows: Number.POSITIVE_INFINITY, lag: 1, initialize: random }

const cases: Case[] = [
  {
    name: 'autoregressive',
    of: page,
    law: sequential,
    broken: breaking('autoregressive', { verify: oneNoiseForAll }),
  },
  { name: 'jacobi', of: page, law: likeliest, broken: breaking('jacobi', { verify: alwaysAccepting }) },
  { name: 'sjd', of: page, law: sequential, broken: breaking('sjd', { verify: residualLeftOut }) },
  {
    name: 'sjd++',
    overrides: { init: 'left', window: 5 },
    of: page,
    law: sequential,
    broken: breaking('sjd++', { initialize: left, window: 5, refine: keptSaidToComeFromModel }),
  },
  {
    name: 'mc-sjd',
    overrides: { init: 'left', window: 5 },
    of: page,
    law: sequential,
    broken: breaking('mc-sjd', { initialize: left, window: 5, refine: proposalsLeftStale }),
  },
  {
    name: 'mc-sjd',
    overrides: { coupling: 'gumbel' },
    of: page,
    law: sequential,
    broken: breaking('mc-sjd', { verify: oneNoiseForAll, refine: oneNoiseForAll }),
  },
  {
    name: 'sjd-pac',
    of: square,
    law: sequential,
    broken: breaking('sjd-pac', { verify: siblingsTriedAgainstAll }),
  },
  {
    name: 'gsd',
    overrides: { group: 3, distance: 8 }, // its own group is larger than this model has codes
    of: window,
    law: (of) => lawOfWindow(of, conditionalOf(of, 1), inGroups(of, 2, 1, 8)),
    broken: breaking('gsd', { verify: alwaysAccepting }),
  },
  {
    name: 'lantern',
    overrides: { delta: 0.3 },
    of: window,
    law: (of) => lawOfWindow(of, conditionalOf(of, 1), byNearest(of, 0.3)),
    broken: breaking('lantern', {}), // which lends a third of that
  },
  {
    name: 'lantern',
    overrides: { delta: 2.5 },
    of: window,
    law: (of) => lawOfWindow(of, conditionalOf(of, 1), byNearest(of, 2.5)),
    broken: breaking('lantern', { verify: latentNearest(1000, 1) }),
  },
  {
    name: 'zipar',
    overrides: { lag: 1 },
    of: toy({ layout: [-1, -1, -1, -1, -1], rowLength: 2, codes: 3, sharpness: 4 }),
    law: (of) => lawOfWavefront(of, conditionalOf(of, 1)),
    broken: wavefront({ name: 'zipar', lag: 2, draw: gumbel }),
  },
  {
    name: 'pjd',
    overrides: { lag: 1 },
    of: rows,
    law: (of) => lawOfRows(of, conditionalOf(of, 1), whereRefused),
    broken: rowParallel({
      ...sideBySide,
      name: 'pjd',
      window: 8,
      verify: residualLeftOut,
      refine: independent,
    }),
  },
  {
    name: 'sjd2',
    overrides: { levels: 3 },
    of: page,
    law: sequential,
    broken: breaking('sjd2', {
      initialize: gaussian(3),
      denoise: denoiseByPasses(3),
      prefix: exactInName,
    }),
  },
  {
    name: 'sjd2-tree',
    overrides: { branches: 5 },
    of: page,
    law: sequential,
    broken: breaking('sjd2-tree', { branches: runnersUp(5), verify: oneNoiseForAll, refine: oneNoiseForAll }),
  },
]

const show = ({ name, overrides = {} }: Case) => [name, ...Object.values(overrides)].join(' ')

describe.each(cases.map((one) => [show(one), one] as const))('%s', (_, { name, overrides = {}, ...one }) => {
  const pValue = async (policy: DecodingPolicy) => {
    const decode = decodeToy(one.of, policy, plainSampling, 4)
    return (await testDistribution(decode, await one.law(one.of), SAMPLES)).pValue
  }
  test('draws its images as its rule says', async () => {
    expect(await pValue(createPolicy(name, overrides, one.of.model))).toBeGreaterThan(ALARM)
  })
  test('does not with its rule broken, and that is seen', async () => {
    expect(await pValue(one.broken)).toBeLessThan(ALARM / 1000)
  })
})

// Its law is an integral over noise. What is seen is that its relaxed rule strays, and that it is that rule which does.
describe('sjd2-paper', () => {
  const measure = async (policy: DecodingPolicy) => {
    const truth = await sequential(page)
    const distance = measureDistance(decodeToy(page, policy, plainSampling, 4)(SAMPLES), truth)
    return { distance, ...noiseOf(truth, SAMPLES, ALARM) }
  }
  test('strays from sequential decoding', async () => {
    const { distance, limit } = await measure(createPolicy('sjd2-paper', {}, page.model))
    expect(distance).toBeGreaterThan(limit)
  })
  test('does not with its rule broken, and that is seen', async () => {
    const { distance, limit } = await measure(breaking('sjd2-paper', { prefix: exactPrefix }))
    expect(distance).toBeLessThan(limit)
  })
})

test('every policy is among these', () => {
  expect([...new Set([...cases.map(({ name }) => name), 'sjd2-paper'])].sort()).toEqual(
    [...policyNames].sort(),
  )
})
