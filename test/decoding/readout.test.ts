import { expect, test } from 'vitest'
import { PositionNoise, Vectors } from '../../src/decoding/readout.js'
import { ImageRandom } from '../../src/index.js'
import { draftOf } from '../support/fake-pass.js'

test('vectors are lent again once no draft was drawn from them', () => {
  const vectors = new Vectors(4)
  const [kept, free] = [vectors.lend(), vectors.lend()]
  vectors.reclaim([draftOf({ proposal: { kind: 'dense', probabilities: kept } }), draftOf({})])
  expect(vectors.lend()).toBe(free)
  expect(vectors.lend()).not.toBe(kept)
  vectors.reclaim([])
  expect([vectors.lend(), vectors.lend(), vectors.lend()]).toContain(kept)
})

test("a position's noise stays until it is committed, and is the same if it is made again", () => {
  const noise = new PositionNoise(new ImageRandom(1, 0), 4)
  const [third, fourth] = [noise.at(3), noise.at(4)]
  const values = [...third]
  expect(noise.at(3)).toBe(third)
  noise.forgetBefore(4)
  expect(noise.at(4)).toBe(fourth)
  expect(noise.at(5)).toBe(third)
  expect(noise.at(5)).not.toEqual(values)
  expect([...new PositionNoise(new ImageRandom(1, 0), 4).at(3)]).toEqual(values)
})
