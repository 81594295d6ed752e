import { type ImageRandom, probabilities } from '../numerics/index.js'
import { type Draft, NO_CODE, parentOf } from './draft.js'
import { freeFrom } from './plan.js'
import type { ImageState, Pass } from './policy.js'

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

/** What a pass is read from. */
export interface Readout {
  /** Number of the pass within its image. */
  readonly number: number
  /** [drafts + 1, count]: behind what is committed, then behind each draft. */
  readonly logits: Float32Array
  readonly drafts: readonly Draft[]
  readonly image: Pick<ImageState, 'model' | 'random' | 'sampling' | 'committed'>
  readonly vectors: Vectors
  readonly noise: PositionNoise
}

/** The pass that policies see. */
export function readPass({ number, logits, drafts, image, vectors, noise }: Readout): Pass {
  const count = logits.length / (drafts.length + 1)
  const { model, random, sampling, committed } = image
  /** The row that predicts each draft's position: its parent's. */
  const rows = new Map(drafts.map((draft, i) => [draft, parentOf(drafts, i) + 1]))
  const blanks: Draft[] = []
  const made: Float32Array[] = []
  return {
    number,
    drafts,
    behind(index) {
      const row = index + 1
      if (blanks[row] === undefined) {
        const position = freeFrom(model, index < 0 ? committed : drafts[index].position + 1)
        blanks[row] = { position, code: NO_CODE, proposal: null, noise: null }
        rows.set(blanks[row], row)
      }
      return blanks[row]
    },
    distribution(draft) {
      const row = rows.get(draft)
      if (row === undefined) throw new RangeError(`Position ${draft.position} has no row in pass ${number}.`)
      if (made[row] === undefined) {
        made[row] = vectors.lend()
        probabilities(logits, row * count, sampling, made[row])
      }
      return made[row]
    },
    uniform: (purpose, position, which) => random.uniform(purpose, position, number, which),
    exponentials: (position) => noise.at(position),
  }
}
