import { ANCHOR, type Decodable, LATENT, type PassPlan } from '../../src/index.js'
import { type Cell, contentOfLatent, contentOfToken, type Toy } from './toy-model.js'

/**
 * Stands in for a worker's slot: cells that hold what an entry made of itself and of all it saw when it was
 * fed. So a cell that was fed a wrong draft, a latent, or a right token behind a wrong one stays wrong until
 * it is fed again, and a plan that counts on it gets wrong logits, as with the real key/value cells.
 */
export class FakeWorker {
  readonly #toy: Toy
  readonly #anchor: number
  #cells: Cell[] = []
  entries = 0
  passes = 0

  constructor(toy: Toy, anchor = 1) {
    this.#toy = toy
    this.#anchor = anchor
  }

  /** One forward pass: the logits [rows, count] of the plan's rows. */
  forward(plan: PassPlan): Float32Array {
    const { base, keep = [] } = plan
    const copied = Array.from(keep, (cell) => this.#cells[cell])
    if (copied.includes(undefined as never)) throw new Error('The plan keeps cells that were never fed.')
    this.#cells.splice(base - copied.length, copied.length, ...copied)
    if (base > this.#cells.length) {
      throw new Error(`The plan counts on ${base} cells, but only ${this.#cells.length} were ever fed.`)
    }
    this.#cells.length = base
    const { width } = this.#toy.model.embeddings
    let latents = 0
    plan.tokens.forEach((id, i) => {
      const position = plan.positions[i]
      const content =
        id === LATENT
          ? contentOfLatent(
              plan.latents.subarray(latents * width, (latents + 1) * width),
              plan.timesteps[latents],
              position,
            )
          : contentOfToken(id === ANCHOR ? this.#anchor : id, position)
      if (id === LATENT) latents += 1
      this.#cells.push(this.#toy.absorb(this.#cells[base + lastSeen(plan, i)], content))
    })
    this.entries += plan.tokens.length
    this.passes += 1
    const { count } = this.#toy.model.image
    const logits = new Float32Array(plan.rows.length * count)
    plan.rows.forEach((entry, row) => {
      logits.set(this.#toy.logits(this.#cells[base + entry]), row * count)
    })
    return logits
  }

  /** Decodes an image to its end. */
  decode(image: Decodable): void {
    while (!image.done) image.advance(this.forward(image.plan()))
  }
}

/** The last entry that an entry sees before itself; -1 for the last valid cell. It must see all that one sees. */
function lastSeen({ mask, tokens: { length } }: PassPlan, entry: number): number {
  if (mask === undefined) return entry - 1
  const stride = Math.ceil(length / 8)
  const seen = (i: number) =>
    Array.from({ length }, (_, j) => j).filter((j) => (mask[i * stride + (j >> 3)] >> (j & 7)) & 1)
  const before = seen(entry).slice(0, -1)
  const last = before.at(-1) ?? -1
  if (last >= 0 && seen(last).join() !== before.join())
    throw new Error('The fake worker knows chains and trees.')
  return last
}
