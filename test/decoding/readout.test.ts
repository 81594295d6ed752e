import { expect, test } from 'vitest'
import { Scratch } from '../../src/common/scratch.js'
import { fed, LentLogits, proposed, Vectors } from '../../src/decoding/lent.js'
import { PositionNoise, readPass } from '../../src/decoding/readout.js'
import { ImageRandom } from '../../src/index.js'
import { draftOf, plainSampling } from '../support/fake-pass.js'
import { toy } from '../support/toy-model.js'

test('vectors are lent again once no draft was drawn from them', () => {
  const vectors = new Vectors(4, proposed)
  const [kept, free] = [vectors.lend(), vectors.lend()]
  vectors.reclaim([draftOf({ proposal: { kind: 'dense', probabilities: kept } }), draftOf({})])
  expect(vectors.lend()).toBe(free)
  expect(vectors.lend()).not.toBe(kept)
  vectors.reclaim([])
  expect([vectors.lend(), vectors.lend(), vectors.lend()]).toContain(kept)
})

test('latents are lent again once no draft feeds them', () => {
  const latents = new Vectors(2, fed)
  const [kept, free] = [latents.lend(), latents.lend()]
  latents.reclaim([draftOf({ noise: { latent: kept, level: 1, timestep: 1 } }), draftOf({})])
  expect(latents.lend()).toBe(free)
  expect(latents.lend()).not.toBe(kept)
})

test('room is the same memory for as long as there is enough', () => {
  const room = new Scratch()
  const { buffer } = room.of(6)
  expect(room.of(2)).toHaveLength(2)
  expect([room.of(6), room.of(0), room.of(5)].map((numbers) => numbers.buffer)).toEqual([
    buffer,
    buffer,
    buffer,
  ])
  expect(room.of(7)).toHaveLength(7)
  expect(room.of(1).buffer).not.toBe(buffer)
})

test("a position's noise stays until it is committed, and is the same if it is made again", () => {
  const noise = new PositionNoise(new ImageRandom(1, 0), 4)
  const [third, fourth] = [noise.at(3).exponentials, noise.at(4).exponentials]
  const values = [...third]
  expect(noise.at(3).exponentials).toBe(third)
  noise.forgetBefore(4)
  expect(noise.at(4).exponentials).toBe(fourth)
  expect(noise.at(5).exponentials).toBe(third)
  expect([...third]).not.toEqual(values)
  expect(noise.at(5).strong).toBe(noise.at(5).strong)
  expect([...new PositionNoise(new ImageRandom(1, 0), 4).at(3).exponentials]).toEqual(values)
})

test('strong noise is drawn ahead one position at a time, once it decided what was committed', () => {
  const noise = new PositionNoise(new ImageRandom(1, 0), 8)
  expect(noise.drawAhead([3, 4])).toBe(0)
  expect(noise.at(3).drawn).toBeUndefined()
  const first = noise.at(3).strong
  void noise.at(1).exponentials
  noise.forgetBefore(2)
  void noise.at(2).strong
  expect(noise.drawAhead([3, 4])).toBe(0)
  noise.forgetBefore(3)
  expect(noise.drawAhead([3, 4, 5])).toBe(8)
  expect([3, 4, 5].map((position) => noise.at(position).drawn !== undefined)).toEqual([true, true, false])
  expect(noise.drawAhead([3, 4, 5])).toBe(8)
  expect(noise.drawAhead([3, 4, 5])).toBe(0)
  expect(noise.at(3).strong).toBe(first)
  expect([...noise.at(5).strong]).toEqual([...new ImageRandom(1, 0).strong(5, 8)])
})

test('the memory of strong noise is used again once its position is committed', () => {
  const random = new ImageRandom(1, 0)
  const noise = new PositionNoise(random, 8192)
  const memory = new Set<ArrayBufferLike>()
  for (let position = 0; position < 30; position += 1) {
    const { strong } = noise.at(position)
    expect([...strong]).toEqual([...random.strong(position, 8192)])
    expect(noise.at(position).strong).toBe(strong)
    memory.add(strong.buffer)
    noise.forgetBefore(position)
  }
  expect(memory.size).toBe(2)
})

/** Passes over one draft, each with logits of its own. */
function somePasses() {
  const { model } = toy({ layout: [-1, -1, -1], rowLength: 3 })
  const vectors = new Vectors(model.image.count, proposed)
  const random = new ImageRandom(1, 0)
  const noise = new PositionNoise(random, model.image.count)
  const image = { model, random, sampling: plainSampling, committed: 0 }
  const drafts = [draftOf({ position: 0, code: 1, proposal: { kind: 'uniform' } })]
  const lent = new LentLogits()
  const passOver = (number: number) => {
    const values = Float32Array.from({ length: 2 * model.image.count }, (_, i) => Math.sin(i + number))
    const logits = lent.take(values, number)
    return { ...readPass({ number, logits, drafts, image, vectors, noise }), values }
  }
  return { passOver, drafts, vectors, lent }
}

test('a proposal can be read after its pass, when the vectors of that were lent to the next', () => {
  const { passOver, drafts, vectors } = somePasses()
  const first = passOver(0)
  const p = [...first.distribution(drafts[0])]
  const held = draftOf({ proposal: first.proposal(drafts[0]) })
  vectors.reclaim([held])
  const second = passOver(1)
  expect([...second.distribution(drafts[0])]).not.toEqual(p)
  const read = () => (held.proposal?.kind === 'dense' ? [...held.proposal.probabilities] : [])
  expect(read()).toEqual(p)
  vectors.reclaim([held])
  passOver(2).distribution(drafts[0])
  expect(read()).toEqual(p)
})

test('logits stay for as long as a proposal of some draft is still to be made of them', () => {
  const { passOver, drafts, lent } = somePasses()
  const first = passOver(0)
  const held = draftOf({ proposal: first.proposal(drafts[0]) })
  lent.reclaim([held])
  const second = passOver(1)
  lent.reclaim([held])
  expect(lent.lieIn(first.values.buffer)).toBe(true)
  expect(lent.lieIn(second.values.buffer)).toBe(false)
  const { probabilities } = held.proposal as { probabilities: Float32Array }
  lent.reclaim([held])
  expect(lent.lieIn(first.values.buffer)).toBe(false)
  expect(probabilities).toBe((held.proposal as { probabilities: Float32Array }).probabilities)
})

test('logits that were given back are not read any more, whoever asks', () => {
  const { passOver, drafts, lent } = somePasses()
  const pass = passOver(3)
  const proposal = pass.proposal(drafts[0]) as { probabilities: Float32Array }
  lent.reclaim([])
  for (const read of [
    () => proposal.probabilities,
    () => pass.distribution(drafts[0]),
    () => pass.winner(drafts[0]),
  ]) {
    expect(read).toThrow('What was asked of pass 3 is gone')
  }
})
