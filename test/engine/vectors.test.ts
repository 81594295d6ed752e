import { describe, expect, test } from 'vitest'
import { tensor } from '../../src/bridge/index.js'
import type { ReplyTo } from '../../src/bridge/messages.js'
import { ANCHOR, type Decodable, type PassPlan } from '../../src/decoding/pass.js'
import { collect } from '../../src/engine/batch.js'
import { Engine } from '../../src/engine/engine.js'
import { tokenizeEach } from '../../src/engine/prompts.js'
import { SupervisedWorker } from '../../src/engine/supervised-worker.js'
import { capacityOf, FakeWorker, runningImage } from './fake-worker.js'
import { Greedy } from './greedy.js'

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
function prompt(text: string) {
  return {
    conditional: [18, 3, 19],
    unconditional: [20],
    unknown: [],
    vectors: { prompt: text, count: 3 },
  }
}

function running(text: string, slots: number[]) {
  return runningImage({ prompt: prompt(text), guidance: 2, image: image(plan, later) }, slots)
}

const spent = { forward: 0, bridge: 0 }

describe('entries that are no token', () => {
  test('are counted by tokenize, which asks for a bounded number of prompts at a time', async () => {
    const asked: number[] = []
    const progress: number[] = []
    const texts = Array.from({ length: 150 }, (_, i) => `caption ${i}`)
    const read = await tokenizeEach(
      async ({ prompts }) => {
        asked.push(prompts.length)
        const head: ReplyTo<'tokenize'> = {
          op: 'tokenize',
          id: 1,
          ok: true,
          prompts: prompts.map((text) =>
            text.endsWith('7')
              ? { refused: { message: `no ${text}`, remedy: 'another' } }
              : {
                  conditional: [18, 19],
                  unconditional: [1],
                  unknown: [],
                  ...(!text.endsWith('2') && { vectors: 2 }),
                },
          ),
        }
        return { head }
      },
      texts,
      (done) => progress.push(done),
    )
    expect(asked).toEqual([64, 64, 22])
    expect(progress).toEqual([64, 128, 150])
    const ids = { conditional: [18, 19], unconditional: [1], unknown: [] }
    expect(read[100]).toEqual({ ...ids, vectors: { prompt: 'caption 100', count: 2 } })
    expect(read[102]).toEqual(ids)
    expect(read[147]).toEqual({ refused: { message: 'no caption 147', remedy: 'another' } })
  })

  test('are named by the passes that feed them, numbered over all prompts, each of which is there once', () => {
    const worker = new FakeWorker()
    const images = [running('red', [0, 1]), running('blue', [2, 3]), running('red', [4, 5])]

    const first = collect(images, capacityOf(worker))
    expect(first.tensors.tokens.data).toEqual(
      Int32Array.of(18, 3, ANCHOR, 12, 21, 3, ANCHOR, 12, 18, 3, ANCHOR, 12),
    )
    expect(first.ask.vectors).toEqual([
      { prompt: 'red', count: 3 },
      { prompt: 'blue', count: 3 },
    ])
    expect(first.ask.lanes.map(({ branches }) => branches.map(({ anchor }) => anchor))).toEqual([
      [0],
      [19, 20],
      [0],
      [22, 23],
      [0],
      [19, 20],
    ])
    for (const each of images) each.take(new Float32Array(16), spent)

    const second = collect(images, capacityOf(worker))
    expect(second.ask).not.toHaveProperty('vectors')
    expect(second.ask.lanes[0].branches).toMatchObject([
      { base: 4, prompt: 3, anchor: 0 },
      { base: 2, prompt: 1 },
    ])
  })

  test('are named again to a worker that replaces a lost one', () => {
    const one = running('red', [0])
    collect([one], capacityOf(new FakeWorker()))
    one.take(new Float32Array(16), spent)
    const again = collect([one], capacityOf(new FakeWorker()))
    expect(again.tensors).toMatchObject({ tokens: tensor(Int32Array.of(18, 3, 13)) })
    expect(again.ask.vectors).toEqual([{ prompt: 'red', count: 3 }])
  })

  test('of many captions: those of the images that begin, and once each', async () => {
    const worker = new FakeWorker()
    const supervised = await SupervisedWorker.start({
      start: async () => worker,
      signal: new AbortController().signal,
      onEvent() {},
    })
    const jobs = Array.from({ length: 50 }, (_, i) => ({
      prompt: {
        conditional: [18, 3, 19],
        unconditional: [5],
        unknown: [],
        vectors: { prompt: `${i}`, count: 2 },
      },
      guidance: 2,
      image: new Greedy({ ...worker.hello.model.image, length: worker.hello.model.layout.length }, 2),
    }))
    await new Engine(supervised).run(jobs)
    const named = worker.forwards.map(({ vectors = [] }) => vectors.map(({ prompt }) => prompt))
    expect(Math.max(...named.map(({ length }) => length))).toBeLessThanOrEqual(worker.hello.slots / 2)
    expect(named.flat().toSorted()).toEqual(jobs.map((_, i) => `${i}`).toSorted())
  })
})
