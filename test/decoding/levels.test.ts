import fc from 'fast-check'
import { expect, test } from 'vitest'
import { denoiseByDistance, denoiseByPasses } from '../../src/index.js'

test('by passes, a level goes with every pass, wherever the draft is', () => {
  const { levels, next } = denoiseByPasses(20)
  expect(levels).toBe(20)
  expect(next(20, 0)).toBe(19)
  expect(next(1, 60)).toBe(0)
})

test('by distance, levels rise from the margin to the end of the window', () => {
  const ramp = (margin: number, window: number) => {
    const { levels, next } = denoiseByDistance(4, margin, window)
    expect(levels).toBe(4)
    return Array.from({ length: window }, (_, distance) => next(4, distance))
  }
  expect(ramp(3, 11)).toEqual([0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
  expect(ramp(0, 10)).toEqual([1, 1, 2, 2, 2, 3, 3, 4, 4, 4])
  expect(ramp(3, 4)).toEqual([0, 0, 0, 4])
})

test('by distance, no level is ever raised, and none is left within the margin', () => {
  const sizes = fc.record({
    levels: fc.integer({ min: 1, max: 20 }),
    margin: fc.nat({ max: 40 }),
    room: fc.integer({ min: -40, max: 60 }),
    level: fc.nat({ max: 20 }),
    distance: fc.nat({ max: 200 }),
  })
  fc.assert(
    fc.property(sizes, ({ levels, margin, room, level, distance }) => {
      const after = denoiseByDistance(levels, margin, margin + room).next(level, distance)
      expect(after).toBeLessThanOrEqual(level)
      expect(after).toBeGreaterThanOrEqual(0)
      if (distance < margin) expect(after).toBe(0)
    }),
    { seed: 1 },
  )
})
