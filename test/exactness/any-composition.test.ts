import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  above,
  type Branching,
  type ChainPieces,
  chain,
  type Denoising,
  denoiseByDistance,
  denoiseByPasses,
  exactPrefix,
  fanOut,
  gaussian,
  greedy,
  gumbel,
  type ImagePast,
  type Initializer,
  independent,
  left,
  likeliest,
  maximal,
  random,
  repeat,
  reuse,
  runnersUp,
  type Sampling,
  vertical,
} from '../../src/index.js'
import { decodeToy, testDistribution } from '../support/exactness.js'
import { guidedConditional } from '../support/guided.js'
import { enumerate, type ToyOptions, toy } from '../support/toy-model.js'

// Whatever pieces, sampling, guidance and picture: 2,000 images of each composition against up to 81 sequences, by a
// chi-square test. A right policy fails for 1 seed in 100,000. The seed is fixed; on a slow machine fewer are tried.
const SAMPLES = 2000
const ALARM = 1e-5
const COMPOSITIONS = 60
const LIMIT = 20_000

/** Rows of free positions, with forced tokens between, before and behind them; up to 64 or 81 different images. */
const pictures: fc.Arbitrary<ToyOptions> = fc
  .record({
    codes: fc.constantFrom(2, 3),
    rowLength: fc.integer({ min: 1, max: 3 }),
    between: fc.nat(1),
    before: fc.nat(1),
    behind: fc.nat(1),
    more: fc.nat(3),
    sharpness: fc.constantFrom(2, 4),
    seed: fc.nat(1000),
  })
  .map(({ codes, rowLength: columns, between, before, behind, more, sharpness, seed }) => {
    const free = codes === 2 ? 3 + more : 3 + (more % 2)
    const cells = Array.from({ length: free }, (_, i) => [
      -1,
      ...((i + 1) % columns === 0 ? Array<number>(between).fill(6) : []),
    ])
    const layout = [...Array<number>(before).fill(4), ...cells.flat(), ...Array<number>(behind).fill(7)]
    return { codes, rowLength: columns + between, layout, sharpness, seed }
  })

const samplings: fc.Arbitrary<Sampling> = fc.record({
  temperature: fc.constantFrom(1, 0.7, 1.4),
  topK: fc.constantFrom(0, 0, 2),
  topP: fc.constantFrom(1, 1, 0.8),
})

/** One width, or one for each length of what was committed last: wider, narrower, none. */
const windows: fc.Arbitrary<ChainPieces['window']> = fc.oneof(
  fc.integer({ min: 1, max: 6 }),
  fc.array(fc.nat(6), { minLength: 2, maxLength: 4 }).map((widths) => {
    const following = ({ history }: ImagePast) => widths[(history.at(-1) ?? 0) % widths.length]
    return Object.assign(following, { [fc.toStringMethod]: () => `widths ${widths}` })
  }),
)

type Start = Pick<ChainPieces, 'initialize' | 'denoise'>

const codesFirst = fc.constantFrom(random, repeat, left, likeliest, above, vertical)

const noiseFirst: fc.Arbitrary<Start> = fc.integer({ min: 1, max: 4 }).chain((levels) =>
  fc.record({
    initialize: fc.oneof(
      fc.constant(gaussian(levels)),
      codesFirst.map(
        (other): Initializer => ({
          name: `gaussian or ${other.name}`,
          honest: true,
          noisy: true,
          start: (position, ...rest) => (position % 2 ? gaussian(levels) : other).start(position, ...rest),
        }),
      ),
    ),
    denoise: fc.constantFrom<Denoising>(
      denoiseByPasses(levels),
      denoiseByDistance(levels, 1, 5),
      denoiseByDistance(levels, 0, 3),
    ),
  }),
)

const starts = fc.oneof(
  codesFirst.map((initialize): Start => ({ initialize, denoise: null })),
  noiseFirst,
)

const none = fc.constant<Branching | null>(null)

/** Maximal coupling believes what drafts say of themselves: with it most can go wrong. */
const verifications = fc.oneof(
  { weight: 1, arbitrary: fc.record({ verify: fc.constant(independent), branches: none }) },
  {
    weight: 4,
    arbitrary: fc.record({
      verify: fc.constant(maximal),
      branches: fc.oneof(
        none,
        fc
          .tuple(fc.integer({ min: 2, max: 3 }), fc.integer({ min: 1, max: 3 }))
          .map(([width, depth]) => fanOut(width, depth)),
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      verify: fc.constant(gumbel),
      branches: fc.oneof(none, fc.integer({ min: 1, max: 9 }).map(runnersUp)),
    }),
  },
)

const refinements = fc.oneof(
  fc.constantFrom(independent, maximal, gumbel, greedy),
  fc.constantFrom(0, 0.4, 0.9, 1.3).map(reuse),
)

const compositions: fc.Arbitrary<ChainPieces> = fc
  .tuple(windows, starts, verifications, refinements)
  .map(([window, start, verification, refine]) => ({
    name: 'composed',
    prefix: exactPrefix,
    window,
    refine,
    ...start,
    ...verification,
  }))

test('whatever is composed of exact pieces is exact', async () => {
  const property = fc.asyncProperty(
    compositions,
    pictures,
    samplings,
    fc.constantFrom(1, 1, 2.5),
    async (pieces, picture, sampling, guidance) => {
      const policy = chain(pieces)
      expect(policy.exact).toBe(true)
      const model = toy(picture)
      const truth = await enumerate(model.model, guidedConditional(model, guidance), sampling)
      const decode = decodeToy(model, policy, sampling, picture.seed ?? 0, guidance)
      const { pValue } = await testDistribution(decode, truth, SAMPLES)
      expect(pValue).toBeGreaterThan(ALARM)
    },
  )
  // not shrunk: a smaller one may fail by chance, since so many would be tried
  const result = await fc.check(property, {
    seed: 22,
    numRuns: COMPOSITIONS,
    interruptAfterTimeLimit: LIMIT,
    endOnFailure: true,
  })
  expect(result.failed, fc.defaultReportMessage(result)).toBe(false)
  expect(result.numRuns).toBeGreaterThan(0)
})
