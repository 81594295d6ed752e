import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nearestCodes, squaredDistance } from '../../src/index.js'

const embeddings = fc
  .tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 4 }))
  .chain(([count, width]) =>
    fc
      .array(fc.integer({ min: -3, max: 3 }), { minLength: count * width, maxLength: count * width })
      .map((values) => ({ table: Float32Array.from(values), width })),
  )

test('the nearest codes are the others by distance, of equal ones the lower first', () => {
  fc.assert(
    fc.property(embeddings, fc.nat(), fc.integer({ min: 1, max: 9 }), ({ table, width }, n, count) => {
      const rows = Array.from({ length: table.length / width }, (_, v) => [
        ...table.subarray(v * width, (v + 1) * width),
      ])
      const code = n % rows.length
      const distance = (v: number) => rows[v].reduce((sum, x, i) => sum + (x - rows[code][i]) ** 2, 0)
      const others = rows.map((_, v) => v).filter((v) => v !== code)
      expect([...nearestCodes({ table, width }, code, count)]).toEqual(
        others.sort((a, b) => distance(a) - distance(b) || a - b).slice(0, count),
      )
      expect(others.map((v) => squaredDistance({ table, width }, v, code))).toEqual(others.map(distance))
    }),
    { seed: 1, numRuns: 200 },
  )
})

test('they are found once for a model', () => {
  const one = { table: Float32Array.of(0, 1, 3), width: 1 }
  const other = { table: Float32Array.of(0, 3, 1), width: 1 }
  expect(nearestCodes(one, 0, 2)).toBe(nearestCodes(one, 0, 2))
  expect([...nearestCodes(one, 0, 2)]).toEqual([1, 2])
  expect([...nearestCodes(other, 0, 2)]).toEqual([2, 1])
  expect([...nearestCodes(one, 0, 1)]).toEqual([1])
})
