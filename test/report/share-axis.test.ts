import { expect, test } from 'vitest'
import { shareAxis } from '../../src/report/browser/figures/share-axis.js'

test.each([
  ['all at 100 %', 1, 1, [0.96, 0.98, 1]],
  ['all at 0 %', 0, 0, [0, 0.02, 0.04]],
  ['a few per cent', 0.93, 0.97, [0.9, 0.92, 0.94, 0.96, 0.98, 1]],
  ['from 40 % up', 0.4, 1, [0.4, 0.6, 0.8, 1]],
  ['all there are', 0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]],
])('an axis of shares names whole per cents once each, none above 100 %%: %s', (_, least, most, ticks) => {
  const axis = shareAxis(least, most)
  expect(axis.ticks).toEqual(ticks)
  expect(axis.domain[0]).toBeLessThanOrEqual(least)
  expect(axis.domain[1]).toBeGreaterThan(most)
})
