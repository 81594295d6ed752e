import { ANCHOR, type Decodable, LATENT, type PassPlan } from '../../src/index.js'
import { type Cell, contentOfLatent, contentOfToken, type Toy } from './toy-model.js'

/** A cell, and those that its entry saw. */
interface Written {
  readonly cell: Cell
  readonly seen: readonly Written[]
}

const same = (some: readonly Written[], others: readonly Written[]) =>
  some.length === others.length && some.every((one, i) => one === others[i])

/**
 * Stands in for a worker's slot: cells that hold what an entry made of itself and of all it saw when it was
 * fed. So a cell that was fed a wrong draft, a latent, or a right token behind a wrong one stays wrong until
 * it is fed again, and a plan that counts on it gets wrong logits, as with the real key/value cells.
 */
export class FakeWorker {
  readonly #toy: Toy
  readonly #anchor: number
  #cells: Written[] = []
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
      const seen = seenBy(plan, i).map((cell) => this.#cells[cell])
      this.#cells.push({ cell: this.#toy.absorb(this.#merged(seen), content), seen })
    })
    this.entries += plan.tokens.length
    this.passes += 1
    const { count } = this.#toy.model.image
    const logits = new Float32Array(plan.rows.length * count)
    plan.rows.forEach((entry, row) => {
      logits.set(this.#toy.logits(this.#cells[base + entry].cell), row * count)
    })
    return logits
  }

  /**
   * What an entry has before it: where it sees a chain (the last cell, and all that this one sees), that last cell; else
   * something made of all that it sees.
   */
  #merged(seen: readonly Written[]): Cell | undefined {
    const last = seen.at(-1)
    const isChain = last === undefined || same([...last.seen, last], seen)
    if (isChain) return last?.cell
    return seen.reduce(
      (before: Cell | undefined, { cell }) => this.#toy.absorb(before, [2, cell.seen]),
      undefined,
    )
  }

  /** Decodes an image to its end. */
  decode(image: Decodable): void {
    while (!image.done) image.advance(this.forward(image.plan()))
  }
}

/** The cells that entry `i` sees, itself left out, in their order: those below `base - before`, and those that the mask says. */
function seenBy({ mask, base, before = 0, tokens }: PassPlan, i: number): number[] {
  if (mask === undefined) return Array.from({ length: base + i }, (_, cell) => cell)
  const stride = Math.ceil((before + tokens.length) / 8)
  const start = base - before
  return Array.from({ length: base + tokens.length }, (_, cell) => cell).filter((cell) => {
    const bit = cell - start
    const seen = bit < 0 || (mask[i * stride + (bit >> 3)] >> (bit & 7)) & 1
    return seen && cell !== base + i
  })
}
