import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lowest } from '../../src/index.js'

test('lowest gives the numbers of the k lowest keys in order, and none of key Infinity', () => {
  const key = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constant(Infinity))
  fc.assert(
    fc.property(fc.array(key, { maxLength: 12 }), fc.integer({ min: 0, max: 13 }), (keys, k) => {
      const sorted = keys.map((_, v) => v).sort((a, b) => (keys[a] === keys[b] ? a - b : keys[a] - keys[b]))
      const finite = sorted.filter((v) => keys[v] < Infinity)
      expect(lowest(keys.length, k, (v) => keys[v])).toEqual(finite.slice(0, k))
    }),
    { seed: 1, numRuns: 500 },
  )
})
