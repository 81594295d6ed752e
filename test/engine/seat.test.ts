import { expect, test } from 'vitest'
import type { Worker } from '../../src/bridge/index.js'
import { Seat } from '../../src/engine/seat.js'
import { image } from './fake-worker.js'
import { Greedy } from './greedy.js'

const worker = {} as Worker
const nothing = { forward: 0, bridge: 0 }

/** The lengths of the branches' prompts, forward by forward, until the image's first pass. */
function prefills(conditional: number, unconditional: number, maxEntries: number): number[][] {
  const ids = (length: number) => Array.from({ length }, (_, i) => i)
  const prompt = { conditional: ids(conditional), unconditional: ids(unconditional), unknown: [] }
  const seat = new Seat(
    { prompt, guidance: 3, image: new Greedy({ ...image, length: 12 }, 2) },
    [0, 1],
    maxEntries,
  )
  const steps: number[][] = []
  for (;;) {
    const lanes = seat.next(worker)
    if (lanes[0].plan.rows.length > 0) return steps
    steps.push(lanes.map(({ plan }) => plan.tokens.length))
    seat.take(new Float32Array(), nothing)
  }
}

test('a long prompt is fed in pieces, so that it holds up nobody; both branches side by side', () => {
  expect(prefills(601, 301, 16_384)).toEqual([[256, 256], [256, 44], [88]])
  expect(prefills(601, 2, 100)).toEqual([[50, 1], ...Array.from({ length: 11 }, () => [50])])
})

test('a short prompt is fed at once, one of a single token not at all', () => {
  expect(prefills(61, 3, 16_384)).toEqual([[60, 2]])
  expect(prefills(1, 1, 16_384)).toEqual([])
})
