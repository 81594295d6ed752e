import { expect, test } from 'vitest'
import type { Worker } from '../../src/bridge/index.js'
import { image, runningImage } from './fake-worker.js'
import { Greedy } from './greedy.js'

const worker = {} as Worker
const nothing = { forward: 0, bridge: 0 }

/** The lengths of the lanes, forward by forward, up to the first that asks for logits. Every plan has three entries. */
function first(conditional: number, unconditional: number, maxEntries: number): number[][] {
  const ids = (length: number) => Array.from({ length }, (_, i) => i)
  const prompt = { conditional: ids(conditional), unconditional: ids(unconditional), unknown: [] }
  const job = { prompt, guidance: 3, image: new Greedy({ ...image, length: 12 }, 2) }
  const running = runningImage(job, [0, 1])
  const steps: number[][] = []
  for (;;) {
    const lanes = running.next(worker, maxEntries)
    steps.push(lanes.map(({ plan }) => plan.tokens.length))
    if (lanes.some(({ plan }) => plan.rows.length > 0)) return steps
    running.take(new Float32Array(), nothing)
  }
}

test('a long prompt is fed in pieces, so that it holds up nobody; both branches side by side', () => {
  expect(first(601, 301, 16_384)).toEqual([
    [256, 256],
    [256, 44],
    [88, 3],
  ])
  expect(first(601, 2, 100)).toEqual([[50, 1], ...Array.from({ length: 10 }, () => [50]), [50, 3]])
})

test('the last of a prompt goes with the first pass, where both fit in one forward', () => {
  expect(first(61, 3, 68)).toEqual([
    [34, 2],
    [26, 3],
  ])
  expect(first(61, 3, 128)).toEqual([[60, 2, 3]])
  expect(first(61, 3, 120)).toEqual([[60, 2, 3]])
  expect(first(41, 41, 85)).toEqual([[40, 40], [3]])
  expect(first(41, 41, 86)).toEqual([[40, 40, 3]])
})

test('a prompt of a single token is its anchor: nothing goes before the first pass', () => {
  expect(first(1, 1, 16_384)).toEqual([[3]])
})

test('a forward that only reads the prompt is no pass', () => {
  const prompt = { conditional: [1, 2, 3, 4, 5], unconditional: [6], unknown: [] }
  const running = runningImage({ prompt, guidance: 1, image: new Greedy({ ...image, length: 12 }, 2) }, [0])
  const logits = (rows: number) => new Float32Array(rows * image.count)
  const statistics = [0, 3].map((rows) => {
    const [lane] = running.next(worker, 4)
    running.take(logits(rows), { forward: 1, bridge: 0.5 })
    return [lane.plan.rows.length, running.statistics]
  })
  expect(statistics).toMatchObject([
    [0, { passes: 0, entries: 0, forwardSeconds: 0, prefillPasses: 1, prefillSeconds: 1.5 }],
    [3, { passes: 1, entries: 3, forwardSeconds: 1, prefillPasses: 1, prefillSeconds: 1.5 }],
  ])
})
