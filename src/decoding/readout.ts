import { type ImageRandom, probabilities, type Sampling } from '../numerics/index.js'
import type { Draft } from './draft.js'
import type { Model } from './model.js'
import type { Pass } from './policy.js'

/** Lends vectors of one length and takes them back when nothing refers to them any more. */
export class Vectors {
  readonly #length: number
  readonly #free: Float32Array[] = []
  #lent: Float32Array[] = []

  constructor(length: number) {
    this.#length = length
  }

  lend(): Float32Array {
    const vector = this.#free.pop() ?? new Float32Array(this.#length)
    this.#lent.push(vector)
    return vector
  }

  /** Takes back all that were lent but those that are some draft's proposal. */
  reclaim(drafts: readonly Draft[]): void {
    const kept = new Set(
      drafts.map(({ proposal }) => (proposal?.kind === 'dense' ? proposal.probabilities : null)),
    )
    const lent = this.#lent
    this.#lent = []
    for (const vector of lent) (kept.has(vector) ? this.#lent : this.#free).push(vector)
  }
}

/** Positions' noise for Gumbel coupling, made when first asked for, kept until the position is committed. */
export class PositionNoise {
  readonly #random: ImageRandom
  readonly #length: number
  readonly #noise = new Map<number, Float32Array>()
  readonly #free: Float32Array[] = []

  constructor(random: ImageRandom, length: number) {
    this.#random = random
    this.#length = length
  }

  at(position: number): Float32Array {
    let noise = this.#noise.get(position)
    if (noise === undefined) {
      noise = this.#free.pop() ?? new Float32Array(this.#length)
      this.#random.exponentials(position, noise)
      this.#noise.set(position, noise)
    }
    return noise
  }

  forgetBefore(position: number): void {
    for (const [j, noise] of this.#noise) {
      if (j >= position) continue
      this.#noise.delete(j)
      this.#free.push(noise)
    }
  }
}

/** A pass over the logits [drafts + 1, count] of `drafts` and `bonus`. */
export function readPass(
  number: number,
  logits: Float32Array,
  drafts: readonly Draft[],
  bonus: Draft,
  image: { readonly model: Model; readonly random: ImageRandom; readonly sampling: Sampling },
  vectors: Vectors,
  noise: PositionNoise,
): Pass {
  const count = logits.length / (drafts.length + 1)
  const rows = new Map([...drafts, bonus].map((draft, row) => [draft, row]))
  const made = new Map<Draft, Float32Array>()
  return {
    number,
    model: image.model,
    bonus,
    distribution(draft) {
      const row = rows.get(draft)
      if (row === undefined) throw new RangeError(`Position ${draft.position} has no row in pass ${number}.`)
      let p = made.get(draft)
      if (p === undefined) {
        p = vectors.lend()
        probabilities(logits, row * count, image.sampling, p)
        made.set(draft, p)
      }
      return p
    },
    uniform: (purpose, position) => image.random.uniform(purpose, position, number),
    exponentials: (position) => noise.at(position),
  }
}
