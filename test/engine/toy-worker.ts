import {
  type Answer,
  type Ask,
  type Op,
  type Tensors,
  tensor,
  type Worker,
  WorkerError,
} from '../../src/bridge/index.js'
import type { HelloReply, Lane } from '../../src/bridge/messages.generated.js'
import { LATENT, type PassPlan } from '../../src/index.js'
import { FakeWorker } from '../support/fake-worker.js'
import type { Toy } from '../support/toy-model.js'
import { guided, helloOf } from './fake-worker.js'

/**
 * The slots of a toy, as a worker without a process. It uses the memory of its answers again as soon as it may, and until
 * then spoils it.
 */
export class ToyWorker implements Worker {
  readonly pid = 0
  readonly hello: HelloReply
  readonly #toy: Toy
  readonly #forwards: number
  readonly #slots: FakeWorker[] = []
  readonly #free: Float32Array[] = []
  #asked = 0
  /** How many answers have not been released. */
  lent = 0

  /** @param forwards how many it answers before it dies. */
  constructor(toy: Toy, maxEntries: number, forwards = Number.POSITIVE_INFINITY) {
    const { model } = toy
    this.#toy = toy
    this.#forwards = forwards
    const hello = helloOf({ maxEntries })
    const card = { image: model.image, width: model.embeddings.width, layout: [...model.layout] }
    this.hello = { ...hello, model: { ...hello.model, ...card, vocabulary: 10 + model.image.count } }
  }

  async request<O extends Op>(ask: Ask<O>, tensors: Tensors = {}): Promise<Answer<O>> {
    this.#asked++
    if (this.#asked > this.#forwards) throw new WorkerError('worker-lost', 'The worker was killed.', '')
    return this.#forward(ask as unknown as Ask<'forward'>, tensors) as unknown as Answer<O>
  }

  async close(): Promise<void> {}

  #forward({ lanes }: Ask<'forward'>, tensors: Tensors): Answer<'forward'> {
    const taken: Record<string, number> = {}
    const take = (name: string, count: number) => {
      const start = taken[name] ?? 0
      taken[name] = start + count
      return tensors[name].data.subarray(start, start + count)
    }
    const rows = lanes.flatMap((lane) => this.#lane(lane, take))
    const memory = this.#free.pop() ?? new Float32Array(10_000)
    memory.set(rows)
    this.lent++
    const { count } = this.#toy.model.image
    return {
      head: { op: 'forward', id: 1, ok: true, seconds: 0, tensors: [] },
      tensors: { logits: tensor(memory.subarray(0, rows.length), [rows.length / count, count]) },
      release: () => {
        this.lent--
        this.#free.push(memory.fill(Number.NaN))
      },
    }
  }

  #lane(lane: Lane, take: (name: string, count: number) => Tensors[string]['data']): number[] {
    const tokens = take('tokens', lane.entries) as Int32Array
    const latents = tokens.filter((id) => id === LATENT).length
    const plan: PassPlan = {
      base: lane.branches[0].base,
      tokens,
      positions: take('positions', lane.entries) as Int32Array,
      latents: take('latents', latents * this.#toy.model.embeddings.width) as Float32Array,
      timesteps: take('timesteps', latents) as Float32Array,
      rows: take('rows', lane.rows) as Int32Array,
      ...(lane.visibility === 'mask' && {
        mask: take('mask', lane.entries * Math.ceil(((lane.before ?? 0) + lane.entries) / 8)) as Uint8Array,
      }),
      ...(lane.before && { before: lane.before }),
      ...(lane.keep && { keep: Int32Array.from(lane.keep) }),
    }
    const [conditional, unconditional] = lane.branches.map(({ slot, anchor }) => {
      if (plan.base === 0) this.#slots[slot] = new FakeWorker(this.#toy, anchor)
      return [...this.#slots[slot].forward(plan)]
    })
    return unconditional ? guided(conditional, unconditional, lane.guidance as number) : conditional
  }
}
