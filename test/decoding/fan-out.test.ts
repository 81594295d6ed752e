import { expect, test } from 'vitest'
import { parentOf } from '../../src/decoding/draft.js'
import { type Draft, fanOut, type Siblings } from '../../src/index.js'
import { draftOf, passOf } from '../support/fake-pass.js'

const p = Float32Array.of(0.25, 0.75)
const pass = { ...passOf(p, {}), uniform: (_: string, __: number, which = 0) => (which % 4) / 4 + 0.1 }
const trunk = (places: number): Draft[] =>
  Array.from({ length: places }, (_, position) =>
    draftOf({ position, code: 1, proposal: { kind: 'dense', probabilities: p } }),
  )

test('every draft down to the depth has as many followers as the tree is wide, the trunk’s first', () => {
  const drafts = fanOut(3, 2).grow(trunk(4), pass)
  const followers = (node: number) => [...drafts.keys()].filter((i) => parentOf(drafts, i) === node)
  expect(drafts.slice(0, 4)).toEqual(trunk(4))
  expect(followers(-1)).toHaveLength(3)
  expect(followers(-1)[0]).toBe(0)
  for (const node of followers(-1)) expect(followers(node)).toHaveLength(3)
  expect(followers(0)[0]).toBe(1)
  expect(followers(1)).toEqual([2])
  expect(drafts).toHaveLength(4 + 2 + 2 + 3 + 3)
  drafts.forEach(({ position }, i) => {
    const parent = parentOf(drafts, i)
    expect(position).toBe(parent < 0 ? 0 : drafts[parent].position + 1)
  })
})

test('siblings are drawn from the trunk’s proposal, each by a number of its own', () => {
  const siblings = fanOut(5, 1).grow(trunk(1), pass).slice(1)
  expect(siblings.map(({ code }) => code)).toEqual([1, 1, 1, 0])
  for (const { proposal } of siblings) expect(proposal).toEqual({ kind: 'dense', probabilities: p })
})

test('no two siblings are drawn by the same number, and each by one of its position', () => {
  const numbers: string[] = []
  const uniform = (_: string, position: number, which = 0) => numbers.push(`${position} ${which}`) && 0.5
  const siblings = fanOut(3, 3)
    .grow(trunk(3), { ...pass, uniform })
    .slice(3)
  expect(new Set(numbers).size).toBe(siblings.length)
  expect(numbers.map((number) => Number(number.split(' ')[0]))).toEqual(
    siblings.map(({ position }) => position),
  )
})

test('it ends where the trunk holds no draft that was drawn, or is noisy', () => {
  const copied = draftOf({ position: 1, code: 1, proposal: { kind: 'one-hot' } })
  const broken = [...trunk(1), copied, ...trunk(3).slice(2)]
  expect(fanOut(2, 3).grow(broken, pass)).toHaveLength(4)
  const noise = { latent: new Float32Array(1), level: 1, timestep: 1 }
  const noisy = { ...trunk(1)[0], noise }
  expect(fanOut(2, 3).grow([noisy], pass)).toEqual([noisy])
})

test('by type, siblings see neither the trunk’s codes nor what these are drawn by', () => {
  const peeking: Siblings = {
    name: 'peeking',
    verify: 'maximal',
    grow(trunk, pass) {
      // @ts-expect-error A sibling that is chosen by the trunk's code is not distributed like its proposal.
      void trunk[0]?.code
      // @ts-expect-error The codes that were fed go along with those that are drawn now.
      void pass.drafts
      // @ts-expect-error By this number the trunk's code was drawn.
      pass.uniform('draw', 0)
      return [...trunk]
    },
  }
  expect(peeking.grow(trunk(2), pass)).toHaveLength(2)
})
