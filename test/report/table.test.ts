import { csvParse } from 'd3-dsv'
import { expect, test } from 'vitest'
import type { Row } from '../../src/experiment/summary.js'
import { csv } from '../../src/report/table.js'

const row: Row = {
  spec: 'sjd:window=32,init=above',
  policy: 'sjd',
  exact: false,
  guidance: 3,
  pictures: 6,
  passes: 88.66666666666667,
  compression: { mean: 6.89, low: 5.64, high: 7.65 },
  seconds: 6.67,
  timeGain: null,
  facts: { mean: 0.5, low: 0.25, high: 1 },
  right: null,
}

test('comma-separated values keep numbers in full, bounds in columns, and gaps empty', () => {
  expect(csvParse(csv([row]))[0]).toEqual({
    spec: 'sjd:window=32,init=above',
    policy: 'sjd',
    output: 'relaxed',
    guidance: '3',
    pictures: '6',
    passes: '88.66666666666667',
    compression: '6.89',
    compression_low: '5.64',
    compression_high: '7.65',
    seconds: '6.67',
    time_gain: '',
    facts: '0.5',
    facts_low: '0.25',
    facts_high: '1',
    right: '',
    right_low: '',
    right_high: '',
  })
})
