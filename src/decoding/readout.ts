import {
  type ImageRandom,
  probabilities,
  type RaceNoise,
  type StrongNoise,
  winner,
} from '../numerics/index.js'
import { type Draft, NO_CODE, parentOf } from './draft.js'
import { Deferred, type PassLogits, type Vectors } from './lent.js'
import { freeFrom } from './plan.js'
import type { ImageState, Pass } from './policy.js'

/** One position's noise; each form of it made when first asked for. */
class Noise implements RaceNoise {
  readonly count: number
  /** The exponential numbers, once made. */
  made: Float32Array | undefined
  readonly #vector: () => Float32Array
  readonly #random: ImageRandom
  readonly #position: number
  #strong: StrongNoise | undefined

  constructor(random: ImageRandom, position: number, count: number, vector: () => Float32Array) {
    this.count = count
    this.#random = random
    this.#position = position
    this.#vector = vector
  }

  get exponentials(): Float32Array {
    if (this.made === undefined) {
      this.made = this.#vector()
      this.#random.exponentials(this.#position, this.made)
    }
    return this.made
  }

  /** Whether the strong noise is made. */
  get drawn(): boolean {
    return this.#strong !== undefined
  }

  get strong(): StrongNoise {
    this.#strong ??= this.#random.strong(this.#position, this.count)
    return this.#strong
  }
}

/** Positions' noise for Gumbel coupling, kept until the position is committed. */
export class PositionNoise {
  readonly #random: ImageRandom
  readonly #count: number
  readonly #noise = new Map<number, Noise>()
  readonly #free: Float32Array[] = []
  /** Whether some position that was committed had strong noise. */
  #decides = false

  constructor(random: ImageRandom, count: number) {
    this.#random = random
    this.#count = count
  }

  at(position: number): Noise {
    let noise = this.#noise.get(position)
    if (noise === undefined) {
      const vector = () => this.#free.pop() ?? new Float32Array(this.#count)
      noise = new Noise(this.#random, position, this.#count, vector)
      this.#noise.set(position, noise)
    }
    return noise
  }

  /**
   * Draws the strong noise of the first of these positions that lacks it, where that has decided what was committed.
   * Returns how many numbers it drew: 0 where none are left.
   */
  drawAhead(positions: readonly number[]): number {
    const next = this.#decides ? positions.find((position) => !this.at(position).drawn) : undefined
    if (next === undefined) return 0
    void this.at(next).strong
    return this.#count
  }

  forgetBefore(position: number): void {
    for (const [j, { made, drawn }] of this.#noise) {
      if (j >= position) continue
      if (drawn) this.#decides = true
      this.#noise.delete(j)
      if (made !== undefined) this.#free.push(made)
    }
  }
}

/** What a pass is read from. */
export interface Readout {
  /** Number of the pass within its image. */
  readonly number: number
  /** Of rows behind what is committed, then behind each draft. */
  readonly logits: PassLogits
  readonly drafts: readonly Draft[]
  readonly image: Pick<ImageState, 'model' | 'random' | 'sampling' | 'committed'>
  readonly vectors: Vectors
  readonly noise: PositionNoise
}

/** The pass that policies see. */
export function readPass({ number, logits, drafts, image, vectors, noise }: Readout): Pass {
  const { model, random, sampling, committed } = image
  const { count } = model.image
  /** The row that predicts each draft's position: its parent's. */
  const rows = new Map(drafts.map((draft, i) => [draft, parentOf(drafts, i) + 1]))
  const blanks: Draft[] = []
  const made: Float32Array[] = []

  function rowOf(draft: Draft): number {
    const row = rows.get(draft)
    if (row === undefined) throw new RangeError(`Position ${draft.position} has no row in pass ${number}.`)
    return row
  }

  function make(row: number): Float32Array {
    const p = vectors.lend()
    probabilities(logits.values, row * count, sampling, p)
    return p
  }

  return {
    number,
    model,
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
      const row = rowOf(draft)
      made[row] ??= make(row)
      return made[row]
    },
    proposal(draft) {
      const row = rowOf(draft)
      return new Deferred(logits, () => make(row))
    },
    winner: (draft) => winner(logits.values, rowOf(draft) * count, sampling, noise.at(draft.position)),
    uniform: (purpose, position, which) => random.uniform(purpose, position, number, which),
    exponentials: (position) => noise.at(position).exponentials,
  }
}
