import { expect, test } from 'vitest'
import { parentOf } from '../../src/decoding/draft.js'
import { type Draft, runnersUp } from '../../src/index.js'
import { draftOf, passOf } from '../support/fake-pass.js'

/** A draft of code 0, which its position's noise (all ones) prefers to 1 by `gap`, and to 2 by more. */
function draft(position: number, gap: number): Draft {
  const first = 1 / (1 + 1 / gap + 0.01)
  const probabilities = Float32Array.of(first, first / gap, first * 0.01)
  return draftOf({ position, code: 0, proposal: { kind: 'dense', probabilities } })
}
const pass = passOf(new Float32Array(3), {})

test('the first branch leaves the trunk where it is closest, by the runner-up', () => {
  const trunk = [draft(0, 50), draft(1, 1.1), draft(2, 50)]
  const drafts = runnersUp(1).grow(trunk, pass, new Set())
  expect(drafts.slice(0, 3)).toEqual(trunk)
  expect(drafts[3]).toMatchObject({ position: 1, code: 1, parent: 0 })
})

test('the runner-up is the code that the position’s own noise puts next', () => {
  const probabilities = Float32Array.of(0.3, 0.5, 0.2)
  const raced = draftOf({ position: 1, code: 0, proposal: { kind: 'dense', probabilities } })
  const noise = (position: number) => (position === 1 ? [0.1, 5, 0.4] : [1, 1, 1])
  const noisy = { ...pass, exponentials: (position: number) => Float32Array.from(noise(position)) }
  const drafts = runnersUp(1).grow([draft(0, 50), raced], noisy, new Set())
  expect(drafts[2]).toMatchObject({ position: 1, code: 2, parent: 0 })
})

test('a branch goes on with the trunk’s drafts, and none holds a draft twice', () => {
  const trunk = [draft(0, 1.1), draft(1, 50), draft(2, 50), draft(3, 50)]
  const drafts = runnersUp(3).grow(trunk, pass, new Set())
  expect(drafts.slice(4)).toMatchObject([
    { position: 0, code: 1, parent: -1 },
    { position: 1, code: 0, parent: 4 },
    { position: 2, code: 0, parent: 5 },
  ])
  const all = runnersUp(500).grow(trunk, pass, new Set())
  const places = all.map(({ code }, i) => `${parentOf(all, i)} ${code}`)
  expect(new Set(places).size).toBe(places.length)
  expect(all.length).toBeLessThanOrEqual(504)
  all.forEach(({ position }, i) => {
    const parent = parentOf(all, i)
    expect(position).toBe(parent < 0 ? 0 : all[parent].position + 1)
  })
})

test('nothing branches off what is noisy, or copied', () => {
  const noise = { latent: new Float32Array(1), level: 1, timestep: 1 }
  expect(runnersUp(10).grow([{ ...draft(0, 1.1), noise }], pass, new Set())).toHaveLength(1)
  const ending = runnersUp(10).grow([draft(0, 1.1), { ...draft(1, 1.1), noise }], pass, new Set())
  expect(ending.slice(2).map(({ position }) => position)).toEqual([0, 0])
  expect(
    runnersUp(10).grow([draftOf({ code: 1, proposal: { kind: 'one-hot' } })], pass, new Set()),
  ).toHaveLength(1)
})

test('a draft behind what was stale is doubted sooner than a closer race in a sound context', () => {
  const trunk = [draft(0, 9), draft(1, 3), draft(2, 9), draft(3, 4), draft(4, 9)]
  const grown = (stale: number[]) => runnersUp(1).grow(trunk, pass, new Set(stale)).at(-1)
  expect(grown([])).toMatchObject({ position: 1 })
  expect(grown([2])).toMatchObject({ position: 3 })
  expect(grown([-1])).toMatchObject({ position: 0 })
  const first = runnersUp(1)
    .grow([draft(0, 3), draft(1, 9)], pass, new Set([0]))
    .at(-1)
  expect(first).toMatchObject({ position: 1 })
})

test('a branch that leaves the trunk doubts what follows it', () => {
  const sound = [draft(0, 1.01), draft(1, 1.3), draft(2, 9), draft(3, 1.3)]
  const drafts = runnersUp(4).grow(sound, pass, new Set())
  const rivals = (parent: number) => drafts.filter((_, i) => parentOf(drafts, i) === parent).length
  expect(rivals(4)).toBeGreaterThan(1)
  expect(rivals(0)).toBe(1)
})
