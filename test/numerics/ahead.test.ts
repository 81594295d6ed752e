import { afterEach, expect, test, vi } from 'vitest'
import { ImageRandom, RandomAhead } from '../../src/numerics/index.js'

afterEach(() => vi.restoreAllMocks())

/** The numbers of a position, as `random` gives them. */
function numbersOf(random: ImageRandom, position: number, iteration: number, length = 6): number[] {
  const numbers = new Float32Array(length)
  random.normals(position, iteration, numbers)
  return [...numbers]
}

test('numbers drawn ahead are those that are drawn when they are asked for', () => {
  const [ahead, random] = [new RandomAhead(7, 3), new ImageRandom(7, 3)]
  for (let iteration = 0; iteration < 6; iteration += 1) {
    for (const position of [iteration, iteration + 1, iteration + 2]) {
      expect(numbersOf(ahead, position, iteration)).toEqual(numbersOf(random, position, iteration))
    }
    // the second will not be asked for in the next iteration, but in the one behind
    const likely = [iteration + 3, iteration + 4]
    if (iteration % 2 === 0) while (ahead.drawAhead(likely, iteration + 1));
  }
})

test('they are drawn once each, a position at a time, and no more than are likely to be asked for', () => {
  const ahead = new RandomAhead(7, 3)
  numbersOf(ahead, 0, 0)
  const drawn = vi.spyOn(ImageRandom.prototype, 'normals')
  const positions = Array.from({ length: 100 }, (_, i) => i + 1)
  let draws = 0
  while (ahead.drawAhead(positions, 1)) draws += 1
  expect(draws).toBe(8)
  expect(drawn.mock.calls.map(([position]) => position)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  for (const position of [8, 1, 2]) numbersOf(ahead, position, 1)
  expect(drawn).toHaveBeenCalledTimes(8)
  numbersOf(ahead, 9, 1)
  expect(drawn).toHaveBeenCalledTimes(9)
})

test('their memory is used again once their iteration is over', () => {
  const ahead = new RandomAhead(7, 3)
  const memory = new Set<Float32Array>()
  vi.spyOn(ImageRandom.prototype, 'normals').mockImplementation((_, __, out) => {
    memory.add(out)
  })
  const out = new Float32Array(4)
  for (let iteration = 0; iteration < 5; iteration += 1) {
    ahead.normals(iteration, iteration, out)
    while (ahead.drawAhead([iteration + 1, iteration + 2], iteration + 1));
  }
  memory.delete(out)
  expect(memory.size).toBe(2)
})

test('nothing is drawn ahead where nothing was asked for in the iterations just before', () => {
  const ahead = new RandomAhead(7, 3)
  expect(ahead.drawAhead([1], 0)).toBe(0)
  numbersOf(ahead, 1, 4)
  expect(ahead.drawAhead([2], 9)).toBe(0)
  expect(ahead.drawAhead([2], 8)).toBe(6)
  expect(ahead.drawAhead([2], 5)).toBe(6)
  expect(ahead.drawAhead([], 5)).toBe(0)
})

test('numbers of another count are drawn when they are asked for', () => {
  const ahead = new RandomAhead(7, 3)
  numbersOf(ahead, 0, 0, 6)
  ahead.drawAhead([1], 1)
  expect(numbersOf(ahead, 1, 1, 5)).toEqual(numbersOf(new ImageRandom(7, 3), 1, 1, 5))
})
