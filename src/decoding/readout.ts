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

/** Memory of noise that is over. */
class Spare {
  readonly count: number
  readonly #vectors: Float32Array[] = []
  readonly #records: Uint32Array[] = []

  constructor(count: number) {
    this.count = count
  }

  vector(): Float32Array {
    return this.#vectors.pop() ?? new Float32Array(this.count)
  }

  /** Room for strong noise: of an eighth of the codes, two words each, and of some more. */
  record(): Uint32Array {
    return this.#records.pop() ?? new Uint32Array(64 + (this.count >> 2) + (this.count >> 4))
  }

  takeBack({ made, drawn }: Noise): void {
    if (made !== undefined) this.#vectors.push(made)
    if (drawn !== undefined) this.#records.push(new Uint32Array(drawn.buffer))
  }
}

/** One position's noise; each form of it made when first asked for. */
class Noise implements RaceNoise {
  readonly count: number
  /** The exponential numbers, and the strong noise, once made. */
  made: Float32Array | undefined
  drawn: StrongNoise | undefined
  readonly #spare: Spare
  readonly #random: ImageRandom
  readonly #position: number

  constructor(random: ImageRandom, position: number, spare: Spare) {
    this.count = spare.count
    this.#random = random
    this.#position = position
    this.#spare = spare
  }

  get exponentials(): Float32Array {
    if (this.made === undefined) {
      this.made = this.#spare.vector()
      this.#random.exponentials(this.#position, this.made)
    }
    return this.made
  }

  get strong(): StrongNoise {
    this.drawn ??= this.#random.strong(this.#position, this.count, this.#spare.record())
    return this.drawn
  }
}

/** Positions' noise for Gumbel coupling, kept until the position is committed. */
export class PositionNoise {
  readonly #random: ImageRandom
  readonly #spare: Spare
  readonly #noise = new Map<number, Noise>()
  /** Whether some position that was committed had strong noise. */
  #decides = false

  constructor(random: ImageRandom, count: number) {
    this.#random = random
    this.#spare = new Spare(count)
  }

  at(position: number): Noise {
    let noise = this.#noise.get(position)
    if (noise === undefined) {
      noise = new Noise(this.#random, position, this.#spare)
      this.#noise.set(position, noise)
    }
    return noise
  }

  /**
   * Draws the strong noise of the first of these positions that lacks it, where that has decided what was committed.
   * Returns how many numbers it drew: 0 where none are left.
   */
  drawAhead(positions: readonly number[]): number {
    const next = this.#decides
      ? positions.find((position) => this.at(position).drawn === undefined)
      : undefined
    if (next === undefined) return 0
    void this.at(next).strong
    return this.#spare.count
  }

  forgetBefore(position: number): void {
    for (const [j, noise] of this.#noise) {
      if (j >= position) continue
      this.#decides ||= noise.drawn !== undefined
      this.#noise.delete(j)
      this.#spare.takeBack(noise)
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
