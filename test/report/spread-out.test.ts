import { expect, test } from 'vitest'
import { spreadOut } from '../../src/report/spread-out.js'

test('labels with room stay where they are', () => {
  expect(spreadOut([9, 1, 5], 2)).toEqual([9, 1, 5])
})

test('labels that would overlap move apart around their middle, in order', () => {
  expect(spreadOut([5, 5.5, 20], 2)).toEqual([4.25, 6.25, 20])
  // the last two reach the first once they are spread
  expect(spreadOut([3, 5, 5.5], 2)).toEqual([2.5, 4.5, 6.5])
})
