import { describe, expect, test } from 'vitest'
import { tensor } from '../../src/bridge/index.js'
import { ANCHOR, type Decodable, type PassPlan } from '../../src/decoding/pass.js'
import { collect } from '../../src/engine/batch.js'
import { tokenizedPrompts } from '../../src/engine/prompts.js'
import { capacityOf, FakeWorker, runningImage } from './fake-worker.js'

const plan: PassPlan = {
  base: 0,
  tokens: Int32Array.of(ANCHOR, 12),
  positions: Int32Array.of(-1, 0),
  latents: new Float32Array(),
  timesteps: new Float32Array(),
  rows: Int32Array.of(0, 1),
}
const later: PassPlan = {
  ...plan,
  base: 2,
  tokens: Int32Array.of(13),
  positions: Int32Array.of(1),
  rows: Int32Array.of(0),
}

/** An image that wants these plans, one after the other. */
function image(...plans: PassPlan[]): Decodable {
  return {
    done: false,
    plan: () => plans[0],
    advance: () => void plans.shift(),
    holds: () => false,
    forgetCells() {},
  }
}

/** Two of its three conditional entries, and its unconditional anchor, are vectors: the fake's vocabulary has 18 ids. */
function prompt(first: number) {
  return {
    conditional: [18, 3, 19],
    unconditional: [20],
    unknown: [],
    vectors: Float32Array.of(first, first, first + 1, first + 1, first + 2, first + 2),
  }
}

function running(first: number, slots: number[]) {
  return runningImage({ prompt: prompt(first), guidance: 2, image: image(plan, later) }, slots)
}

const spent = { forward: 0, bridge: 0 }

describe('entries that are no token', () => {
  test('come out of tokenize with the prompt that they belong to', () => {
    const head = {
      op: 'tokenize',
      id: 1,
      ok: true,
      prompts: [
        { conditional: [18], unconditional: [1], unknown: [], vectors: 1 },
        { conditional: [2], unconditional: [1], unknown: [] },
        { conditional: [18, 19], unconditional: [1], unknown: [], vectors: 2 },
      ],
    } as const
    const vectors = tensor(Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2])
    const prompts = tokenizedPrompts({ head: structuredClone(head) as never, tensors: { vectors } }, 2)
    expect(prompts.map((each) => each.vectors)).toEqual([
      Float32Array.of(1, 2),
      undefined,
      Float32Array.of(3, 4, 5, 6),
    ])
    expect(prompts[1]).toEqual({ conditional: [2], unconditional: [1], unknown: [] })
  })

  test('travel with the passes that feed them, numbered over all images', () => {
    const worker = new FakeWorker()
    const images = [running(1, [0, 1]), running(5, [2, 3])]

    const first = collect(images, capacityOf(worker))
    expect(first.tensors.tokens.data).toEqual(Int32Array.of(18, 3, ANCHOR, 12, 21, 3, ANCHOR, 12))
    expect(first.tensors.vectors).toEqual(tensor(Float32Array.of(1, 1, 2, 2, 3, 3, 5, 5, 6, 6, 7, 7), [6, 2]))
    expect(first.ask.lanes.map(({ branches }) => branches.map(({ anchor }) => anchor))).toEqual([
      [0],
      [19, 20],
      [0],
      [22, 23],
    ])
    for (const each of images) each.take(new Float32Array(16), spent)

    const second = collect(images, capacityOf(worker))
    expect(second.tensors).not.toHaveProperty('vectors')
    expect(second.ask.lanes[0].branches).toMatchObject([
      { base: 4, prompt: 3, anchor: 0 },
      { base: 2, prompt: 1 },
    ])
  })

  test('are sent again to a worker that replaces a lost one', () => {
    const one = running(1, [0])
    collect([one], capacityOf(new FakeWorker()))
    one.take(new Float32Array(16), spent)
    expect(collect([one], capacityOf(new FakeWorker())).tensors).toMatchObject({
      tokens: tensor(Int32Array.of(18, 3, 13)),
      vectors: tensor(Float32Array.of(1, 1), [1, 2]),
    })
  })
})
