import { expect, test } from 'vitest'
import { costsOf, distribution } from '../../src/experiment/costs.js'
import { randomStream } from '../../src/experiment/random.js'
import { secondsLeft } from '../../src/experiment/time-left.js'
import { recordOf } from './records.js'

test('costs are means over the row’s pictures, and all passes’ tokens as a distribution', () => {
  const row = { choice: { spec: 'sjd2' }, policy: { name: 'sjd2', exact: true }, guidance: 3 }
  const records = [
    recordOf({ metrics: { clip: 1 } }),
    recordOf({
      accepted: [2, 2],
      forwardSeconds: 1.5,
      workerBytes: 300,
      prefillPasses: 2,
      metrics: { clip: 3 },
      prompt: 'a blue ring',
    }),
    recordOf({ spec: 'sjd', forwardSeconds: 100 }),
    recordOf({ guidance: 1, forwardSeconds: 100 }),
  ]
  expect(costsOf([row], records, randomStream(0, 'bootstrap'))).toEqual([
    {
      spec: 'sjd2',
      guidance: 3,
      prefillPasses: 1.5,
      tokensPerPass: { mean: 2, least: 1, median: 2, high: 3, most: 3 },
      seconds: { prefill: 0.25, forward: 1, bridge: 0.125, policy: 0.0625 },
      bytes: { worker: 300, orchestrator: 200 },
      metrics: { clip: { mean: 2, low: 1, high: 3 } },
    },
  ])
})

test('a distribution has its quantiles', () => {
  const values = Array.from({ length: 101 }, (_, i) => 100 - i)
  expect(distribution(values)).toEqual({ mean: 50, least: 0, median: 50, high: 90, most: 100 })
})

test('time left is the running row’s at its pace, and the others’ at theirs where it is known', () => {
  // half of 4 images in 10 s: 5 s each
  const state = { done: 2, images: 4, tokens: 48, passes: 1, length: 96, seconds: 10 }
  expect(secondsLeft(state, [])).toBe(10)
  expect(secondsLeft(state, [{ images: 3, known: [] }])).toBe(10 + 3 * 5)
  expect(secondsLeft(state, [{ images: 3, known: [{ wall: 1 }, { wall: 3 }] }])).toBe(10 + 3 * 2)
  expect(secondsLeft({ ...state, tokens: 1 }, [])).toBeNull()
})
