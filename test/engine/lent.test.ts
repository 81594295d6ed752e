import { expect, test } from 'vitest'
import type { Answer, Ask, Op, Tensors } from '../../src/bridge/index.js'
import { decodeTogether } from '../../src/engine/decode.js'
import { LastingWorker } from '../../src/engine/lasting-worker.js'
import {
  chain,
  type DecodingPolicy,
  exactPrefix,
  gumbel,
  left,
  maximal,
  Trajectory,
} from '../../src/index.js'
import { FakeWorker } from './fake-worker.js'

/** Uses the memory of its answers again as soon as it may. */
class FrugalWorker extends FakeWorker {
  lent = 0
  most = 0

  override async request<O extends Op>(ask: Ask<O>, tensors?: Tensors): Promise<Answer<O>> {
    const answer = await super.request(ask, tensors)
    this.lent++
    this.most = Math.max(this.most, this.lent)
    return {
      ...answer,
      release: () => {
        this.lent--
        answer.tensors.logits.data.fill(NaN)
      },
    }
  }
}

/** Tokens of some images under a policy, by way of a worker. */
async function decoded(policy: DecodingPolicy, worker: FakeWorker): Promise<number[][]> {
  const { image, layout, width, sampling } = worker.hello.model
  const deviation = new Float32Array(width)
  const embeddings = { table: new Float32Array(image.count * width), width, deviation }
  const model = { image, layout: Int32Array.from(layout), rowLength: 4, denoising: null, embeddings }
  const jobs = Array.from({ length: 5 }, (_, index) => ({
    prompt: { conditional: [1, 2, index], unconditional: [0], unknown: [] },
    guidance: 3,
    image: new Trajectory({ model, policy, sampling, seed: 1, index }),
  }))
  const signal = new AbortController().signal
  await decodeTogether(
    await LastingWorker.begin({ start: async () => worker, signal, onEvent() {} }),
    jobs,
    {},
  )
  return jobs.map(({ image }) => [...image.tokens])
}

const pieces = { window: 5, initialize: left, prefix: exactPrefix, denoise: null }
const policies = [
  chain({ ...pieces, name: 'reads no proposals', verify: gumbel, refine: gumbel }),
  chain({ ...pieces, name: 'reads them at once', verify: maximal, refine: maximal }),
  chain({ ...pieces, name: 'reads them in the next pass', verify: maximal, refine: gumbel }),
]

test.each(policies.map((policy) => [policy.name, policy] as const))(
  'logits are given back when no image reads them any more: by a policy that %s',
  async (_, policy) => {
    const worker = new FrugalWorker()
    expect(await decoded(policy, worker)).toEqual(await decoded(policy, new FakeWorker()))
    expect(worker.lent).toBe(0)
    expect(worker.most).toBeLessThanOrEqual(3)
  },
)

test('also where the logits of a pass come in several forwards', async () => {
  const worker = new FrugalWorker({ maxEntries: 4 })
  expect(await decoded(policies[2], worker)).toEqual(
    await decoded(policies[2], new FakeWorker({ maxEntries: 4 })),
  )
  expect(worker.lent).toBe(0)
})
