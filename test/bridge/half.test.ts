import { expect, test } from 'vitest'
import { floatsOfHalves } from '../../src/bridge/half.js'

test.each([
  [0x0000, 0],
  [0x8000, -0],
  [0x3c00, 1],
  [0xc000, -2],
  [0x3555, 0.333251953125],
  [0x7bff, 65504],
  [0x0400, 2 ** -14],
  [0x03ff, 1023 * 2 ** -24],
  [0x0001, 2 ** -24],
  [0x7c00, Infinity],
  [0xfc00, -Infinity],
  [0x7e01, Number.NaN],
])('half %i is %d', (bits, value) => {
  expect(floatsOfHalves(Uint16Array.of(bits))).toEqual(Float32Array.of(value))
})

test('positive halves ascend with their bits', () => {
  const ascending = floatsOfHalves(Uint16Array.from({ length: 0x7c01 }, (_, bits) => bits))
  expect(ascending.every((value, i) => i === 0 || value > ascending[i - 1])).toBe(true)
})
