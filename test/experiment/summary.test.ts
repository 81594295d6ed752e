import { expect, test } from 'vitest'
import { randomStream } from '../../src/experiment/random.js'
import { summarize } from '../../src/experiment/summary.js'
import { recordOf } from './records.js'

const rowOf = (spec: string, guidance: number) => ({
  choice: { spec },
  policy: { name: spec, exact: true },
  guidance,
})

test('time gain is how often a policy is done while sequential decoding is once, at the same guidance', () => {
  const rows = [rowOf('autoregressive', 1), rowOf('sjd2', 1), rowOf('autoregressive', 3), rowOf('sjd2', 3)]
  const walls = [8, 2, 9, 18]
  const records = rows.flatMap(({ choice: { spec }, guidance }, i) =>
    // the mean of a row's walls counts
    [0, 1].map((seed) => recordOf({ spec, policy: spec, guidance, seed, wall: walls[i] + seed - 0.5 })),
  )
  const summary = summarize(rows, records, randomStream(0, 'bootstrap'))
  expect(summary.map(({ seconds }) => seconds)).toEqual(walls)
  expect(summary.map(({ timeGain }) => timeGain)).toEqual([1, 4, 1, 0.5])
  const [alone] = summarize([rows[1]], records, randomStream(0, 'bootstrap'))
  expect(alone.timeGain).toBeNull()
})
