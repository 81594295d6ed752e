import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createPolicy, type PolicyOverrides, type Sampling, Trajectory } from '../../src/index.js'
import { decodeToy } from '../support/exactness.js'
import { FakeWorker } from '../support/fake-worker.js'
import { type Toy, toy } from '../support/toy-model.js'

const layout = Array.from({ length: 8 }, () => [-1, -1, -1, -1, -1, 7]).flat()
const model = toy({ layout, rowLength: 6, codes: 6 })
const seeds = Array.from({ length: 5 }, (_, seed) => seed)

function decode(toy: Toy, name: string, overrides: PolicyOverrides, sampling: Sampling, seed: number) {
  const policy = createPolicy(name, overrides, toy.model)
  const image = new Trajectory({ model: toy.model, policy, sampling, seed, index: 3 })
  const worker = new FakeWorker(toy)
  worker.decode(image)
  return { tokens: [...image.tokens], passes: worker.passes }
}

const overrides: PolicyOverrides[] = [2, 5, 16, 64].flatMap((window) => [
  ...['random', 'repeat', 'left', 'likeliest', 'above', 'vertical'].map((init) => ({ init, window })),
  { init: 'gaussian', levels: 1, window },
  { init: 'gaussian', levels: 4, window: window + 3 },
  { init: 'gaussian', levels: 1, branches: Math.min(128, 3 * window), window },
])

describe.each([
  { temperature: 1, topK: 0, topP: 1 },
  { temperature: 0.8, topK: 3, topP: 1 },
  { temperature: 1, topK: 0, topP: 0.7 },
])('under %o', (sampling) => {
  test.each(overrides)(
    'Gumbel coupling with %o gives the sequential image, token for token, in fewer passes',
    (given) => {
      let passes = 0
      let sequential = 0
      for (const seed of seeds) {
        const reference = decode(model, 'autoregressive', {}, sampling, seed)
        const coupled = decode(model, 'sjd2', { coupling: 'gumbel', ...given }, sampling, seed)
        expect(coupled.tokens).toEqual(reference.tokens)
        passes += coupled.passes
        sequential += reference.passes
      }
      expect(passes).toBeLessThan(sequential)
    },
  )
})

const anyLayout = fc
  .array(fc.constantFrom(-1, -1, -1, 0, 11), { minLength: 1, maxLength: 24 })
  .filter((ids) => ids.includes(-1))

test('so it does on any layout, of any codes, under any window, tree, noise, sampling and guidance', () => {
  fc.assert(
    fc.property(
      fc.record({
        layout: anyLayout,
        rowLength: fc.integer({ min: 1, max: 7 }),
        codes: fc.integer({ min: 1, max: 9 }),
        seed: fc.integer({ min: 1, max: 50 }),
      }),
      fc.record({
        coupling: fc.constant('gumbel'),
        window: fc.constantFrom(1, 2, 5, 40, 200),
        branches: fc.constantFrom(0, 1, 7, 60),
      }),
      fc.oneof(
        fc.record({ init: fc.constantFrom('random', 'left', 'likeliest', 'above', 'repeat', 'vertical') }),
        fc.record({
          init: fc.constant('gaussian'),
          levels: fc.integer({ min: 1, max: 4 }),
          denoise: fc.constantFrom('passes', 'distance'),
        }),
      ),
      fc.record({
        temperature: fc.constantFrom(0, 0.7, 1, 1000),
        topK: fc.constantFrom(0, 1, 2),
        topP: fc.constantFrom(1, 1, 0.5),
      }),
      fc.constantFrom(1, 0, -3, 2, 1e6),
      (options, pieces, start, sampling, guidance) => {
        const any = toy(options)
        const [sequential, coupled] = [
          createPolicy('autoregressive', {}, any.model),
          createPolicy('sjd2', { ...pieces, ...start }, any.model),
        ].map((policy) => decodeToy(any, policy, sampling, options.seed, guidance)(1))
        expect(coupled).toEqual(sequential)
      },
    ),
    { numRuns: 400, seed: 1 },
  )
})

test('Jacobi decoding gives the image that sequential decoding gives at temperature 0', () => {
  const greedy = { temperature: 0, topK: 0, topP: 1 }
  const sequential = decode(model, 'autoregressive', {}, greedy, 1).tokens
  for (const window of [1, 8, 64]) {
    expect(decode(model, 'jacobi', { window }, { ...greedy, temperature: 1 }, 2).tokens).toEqual(sequential)
  }
})

test('at temperature 0 every policy that takes no noisy entry for granted gives that image', () => {
  const greedy = { temperature: 0, topK: 0, topP: 1 }
  const sequential = decode(model, 'autoregressive', {}, greedy, 1).tokens
  for (const name of ['jacobi', 'sjd', 'sjd++', 'mc-sjd', 'gsd', 'lantern', 'sjd2']) {
    expect(decode(model, name, {}, greedy, 9).tokens).toEqual(sequential)
  }
})
