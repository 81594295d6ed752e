import { describe, expect, test } from 'vitest'
import { createPolicy, type PolicyOverrides, type Sampling, Trajectory } from '../../src/index.js'
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
  ...['random', 'repeat', 'left', 'above', 'vertical'].map((init) => ({ init, window })),
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
