import { describe, expect, test } from 'vitest'
import { floats, tensor } from '../../src/bridge/index.js'
import { ANCHOR, type Decodable, LATENT, type PassPlan } from '../../src/decoding/pass.js'
import { collect, handBack } from '../../src/engine/batch.js'
import type { Logits } from '../../src/numerics/index.js'
import { capacityOf, FakeWorker, image, runningImage } from './fake-worker.js'

/** An image that wants one plan for ever and keeps what it is given. */
class Still implements Decodable {
  readonly done = false
  readonly given: Logits[] = []
  readonly #plan: PassPlan

  constructor(plan: PassPlan) {
    this.#plan = plan
  }

  plan() {
    return this.#plan
  }

  advance(logits: Logits) {
    this.given.push(logits)
  }

  holds() {
    return true
  }

  forgetCells() {}
}

const noisy: PassPlan = {
  base: 0,
  tokens: Int32Array.of(ANCHOR, LATENT, 12, LATENT),
  positions: Int32Array.of(-1, 0, 1, 2),
  latents: Float32Array.of(0.5, 1, 1.5, 2),
  timesteps: Float32Array.of(0.25, 1),
  rows: Int32Array.of(0, 2),
}

const tree: PassPlan = {
  base: 4,
  tokens: Int32Array.of(11, 13),
  positions: Int32Array.of(3, 3),
  latents: Float32Array.of(),
  timesteps: Float32Array.of(),
  rows: Int32Array.of(1),
  mask: Uint8Array.of(1, 2),
  keep: Int32Array.of(1, 3),
}

function started(plan: PassPlan, slots: number[], prompt = { conditional: [7], unconditional: [8] }) {
  const still = new Still(plan)
  const job = { prompt: { ...prompt, unknown: [] }, guidance: slots.length === 2 ? 2.5 : 1, image: still }
  return { running: runningImage(job, slots), still }
}

describe('a batch', () => {
  const worker = new FakeWorker()
  const guidedImage = started(noisy, [0, 1])
  const plainImage = started(tree, [5])
  const batch = collect([guidedImage.running, plainImage.running], capacityOf(worker))

  test('names for each image its slots, anchors and cells', () => {
    expect(batch.ask).toEqual({
      op: 'forward',
      logits: 'f32',
      lanes: [
        {
          branches: [
            { slot: 0, base: 0, prompt: 1, anchor: 7 },
            { slot: 1, base: 0, prompt: 1, anchor: 8 },
          ],
          guidance: 2.5,
          entries: 4,
          rows: 2,
          visibility: 'chain',
        },
        {
          branches: [{ slot: 5, base: 4, prompt: 1, anchor: 7 }],
          entries: 2,
          rows: 1,
          visibility: 'mask',
          keep: [1, 3],
        },
      ],
    })
  })

  test('lays the tensors end to end', () => {
    expect(batch.tensors).toEqual({
      tokens: tensor(Int32Array.of(ANCHOR, LATENT, 12, LATENT, 11, 13)),
      positions: tensor(Int32Array.of(-1, 0, 1, 2, 3, 3)),
      rows: tensor(Int32Array.of(0, 2, 1)),
      latents: tensor(Float32Array.of(0.5, 1, 1.5, 2), [2, 2]),
      timesteps: tensor(Float32Array.of(0.25, 1)),
      mask: tensor(Uint8Array.of(1, 2)),
    })
  })

  test('hands each image its rows as a view of the reply', () => {
    const logits = tensor(
      Float32Array.from({ length: 3 * image.count }, (_, i) => i),
      [3, image.count],
    )
    handBack(
      batch,
      { head: { op: 'forward', id: 1, ok: true, seconds: 1, tensors: [] }, tensors: { logits } },
      worker,
      3,
    )
    expect(guidedImage.still.given).toEqual([logits.data.subarray(0, 2 * image.count)])
    expect(plainImage.still.given).toEqual([logits.data.subarray(2 * image.count)])
    expect(plainImage.still.given[0].buffer).toBe(floats({ logits }, 'logits', logits.shape).buffer)
    expect(guidedImage.running.statistics).toMatchObject({
      forwardSeconds: 0.8,
      bridgeSeconds: 1.6,
      entries: 4,
    })
    expect(plainImage.running.statistics).toMatchObject({
      forwardSeconds: 0.2,
      bridgeSeconds: 0.4,
      entries: 2,
    })
  })

  test('asks for halves where the model computes in no more, and hands them on as they are', () => {
    const half = new FakeWorker({ dtype: 'bf16' })
    const { running, still } = started(noisy, [0])
    const asked = collect([running], capacityOf(half))
    expect(asked.ask.logits).toBe('f16')
    const logits = tensor(new Uint16Array(2 * image.count).fill(0x3c00), [2, image.count])
    const head = { op: 'forward', id: 1, ok: true, seconds: 1, tensors: [] } as const
    handBack(asked, { head: { ...head, tensors: [] }, tensors: { logits } }, half, 1)
    expect(still.given).toEqual([logits.data])
  })

  test('refuses a reply with another number of rows', () => {
    const logits = tensor(new Float32Array(2 * image.count), [2, image.count])
    const head = { op: 'forward', id: 1, ok: true, seconds: 1, tensors: [] } as const
    const three = collect([started(noisy, [0]).running, started(tree, [1]).running], capacityOf(worker))
    const badReply = expect.objectContaining({ code: 'bad-reply' })
    expect(() =>
      handBack(three, { head: { ...head, tensors: [] }, tensors: { logits } }, worker, 1),
    ).toThrowError(badReply)
  })

  test('counts cells from the start of the slot: behind the prompt, which may differ between branches', () => {
    const { running } = started(tree, [2, 3], { conditional: [1, 2, 3, 4], unconditional: [5, 6] })
    const few = capacityOf(new FakeWorker({ maxEntries: 7 }))
    const filling = collect([running], few)
    expect(filling.ask.lanes).toEqual([
      { branches: [{ slot: 2, base: 0, prompt: 4, anchor: 4 }], entries: 3, rows: 0, visibility: 'chain' },
      { branches: [{ slot: 3, base: 0, prompt: 2, anchor: 6 }], entries: 1, rows: 0, visibility: 'chain' },
    ])
    expect(filling.tensors.positions.data).toEqual(Int32Array.of(-4, -3, -2, -2))
    running.take(new Float32Array(), { forward: 0, bridge: 0 })
    expect(collect([running], few).ask.lanes).toMatchObject([
      {
        branches: [
          { base: 7, prompt: 4 },
          { base: 5, prompt: 2 },
        ],
        keep: [4, 6],
      },
    ])
  })

  test('leaves out those that no longer fit', () => {
    const small = new FakeWorker({ maxEntries: 9 })
    const images = [started(noisy, [0, 1]).running, started(tree, [2]).running, started(tree, [3]).running]
    expect(collect(images, capacityOf(small)).ask.lanes.map(({ branches }) => branches[0].slot)).toEqual([0])
  })
})
