import { describe, expect, test } from 'vitest'
import {
  chain,
  type DecodingPolicy,
  type Draw,
  denoiseByPasses,
  draftProbability,
  exactPrefix,
  fanOut,
  gaussian,
  type Initializer,
  independent,
  left,
  maximal,
  random,
  reuse,
  type Sampling,
  sample,
} from '../../src/index.js'
import {
  alwaysAccepting,
  exactInName,
  exactInNameKeeping,
  keptSaidToComeFromModel,
  oneChanceForAll,
  proposalsLeftStale,
  residualLeftOut,
  siblingsTriedAgainstAll,
} from '../support/broken.js'
import { decodeToy, testDistribution } from '../support/exactness.js'
import { conditionalOf, enumerate, toy } from '../support/toy-model.js'

// The test that exact policies pass (distribution.test.ts), as many images, the same model: each of these
// rules is broken on purpose, and must fail it by far.
const SAMPLES = 4000
const ALARM = 1e-5
const sampling: Sampling = { temperature: 1, topK: 0, topP: 1 }
const model = toy({ layout: [-1, -1, 6, -1, -1, 6, -1, -1], rowLength: 3, codes: 2 })

async function pValue(policy: DecodingPolicy, decoded = model) {
  const truth = await enumerate(decoded.model, conditionalOf(decoded, 1), sampling)
  return (await testDistribution(decodeToy(decoded, policy, sampling, 3), truth, SAMPLES)).pValue
}

const clean = {
  name: 'broken',
  window: 5,
  initialize: random,
  verify: maximal,
  refine: maximal,
  prefix: exactPrefix,
  denoise: null,
}
const noisy = { ...clean, initialize: gaussian(3), denoise: denoiseByPasses(3) }

test.each([
  ['clean', clean],
  ['noisy', noisy],
  ['little reusing', { ...clean, initialize: left, refine: reuse(0.8) }],
  ['much reusing', { ...clean, initialize: left, refine: reuse(0.3) }],
])('the unbroken %s policy passes', async (_, pieces) => {
  expect(await pValue(chain(pieces))).toBeGreaterThan(ALARM)
})

describe('a wrong rule fails', () => {
  const keptSaidToBeAsBefore: Draw = {
    ...reuse(0.8),
    draw(draft, pass) {
      const drawn = reuse(0.8).draw(draft, pass)
      return drawn.code === draft.code && draft.proposal ? { ...drawn, proposal: draft.proposal } : drawn
    },
  }

  const oneOfTheDice: Initializer = {
    ...random,
    start: (position, image, before) => ({
      ...random.start(position, image, before),
      code: image.random.uniform('initial', position, image.passes) < 0.8 ? 0 : 1,
    }),
  }

  const redrawingWhatItDislikes: Draw = {
    ...independent,
    draw(draft, pass) {
      const drawn = independent.draw(draft, pass)
      if (draftProbability(drawn.proposal, drawn.code, 2) > 0.5) return drawn
      return { ...drawn, code: sample(pass.distribution(draft), pass.uniform('accept', draft.position)) }
    },
  }

  const wrongs: [string, DecodingPolicy][] = [
    ['residual left out of verification', chain({ ...clean, verify: residualLeftOut })],
    ['residual left out of the coupling', chain({ ...clean, initialize: left, refine: residualLeftOut })],
    ['accepting every draft', chain({ ...clean, verify: alwaysAccepting })],
    [
      'the same random number for all positions',
      chain({ ...clean, verify: oneChanceForAll, refine: oneChanceForAll }),
    ],
    [
      'proposals that are not those drawn from',
      chain({ ...clean, initialize: left, refine: proposalsLeftStale }),
    ],
    [
      "kept drafts said to come from the model, as SJD++'s paper has it",
      chain({ ...clean, initialize: left, refine: keptSaidToComeFromModel }),
    ],
    [
      'kept drafts said to come from where they came from first',
      chain({ ...clean, initialize: left, refine: keptSaidToBeAsBefore }),
    ],
    ['a first draft that is not drawn evenly', chain({ ...clean, initialize: oneOfTheDice })],
    ['drafts redrawn that it dislikes', chain({ ...clean, refine: redrawingWhatItDislikes })],
    ['going on past noisy entries', chain({ ...noisy, prefix: exactInName })],
    ['going on past noisy entries, their keys kept', chain({ ...noisy, prefix: exactInNameKeeping })],
  ]

  test.each(wrongs)('%s', async (_, policy) => {
    expect(await pValue(policy)).toBeLessThan(ALARM / 1000)
  })

  test.each([
    ['a rejected draft', chain(clean)],
    ['a noisy entry', chain(noisy)],
  ])('holding the cell of %s is refused', async (_, policy) => {
    await expect(pValue(holdingOneMore(policy))).rejects.toThrow('which is not what it committed there')
  })

  test('siblings tried against all of p, not what those before them left', async () => {
    const three = toy({ layout: [-1, -1, -1, -1], rowLength: 2, codes: 3 })
    const policy = chain({
      ...clean,
      refine: independent,
      verify: siblingsTriedAgainstAll,
      branches: fanOut(3, 2),
    })
    expect(await pValue(policy, three)).toBeLessThan(ALARM / 1000)
  })
})

/** A policy that trusts one cell more than it may. */
function holdingOneMore(policy: DecodingPolicy): DecodingPolicy {
  return {
    ...policy,
    verify(pass, image) {
      const { codes, held } = policy.verify(pass, image)
      const more = Math.min(held.length + 1, codes.length, image.drafts.length)
      return { codes, held: Array.from({ length: more }, (_, i) => i) }
    },
  }
}
