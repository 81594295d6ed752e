import { type ImageRandom, type Logits, probabilities, type RaceNoise, winner } from '../numerics/index.js'
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
      drafts.map(({ proposal }) => {
        if (proposal instanceof Deferred) return proposal.made
        return proposal?.kind === 'dense' ? proposal.probabilities : undefined
      }),
    )
    const lent = this.#lent
    this.#lent = []
    for (const vector of lent) (kept.has(vector) ? this.#lent : this.#free).push(vector)
  }
}

/** A distribution that is made when it is first read. */
class Deferred {
  readonly kind = 'dense'
  readonly #make: () => Float32Array
  made: Float32Array | undefined

  constructor(make: () => Float32Array) {
    this.#make = make
  }

  get probabilities(): Float32Array {
    this.made ??= this.#make()
    return this.made
  }
}

/** One position's noise; each form of it made when first asked for. */
class Noise implements RaceNoise {
  readonly #make: (form: 'exponentials' | 'gumbels') => Float32Array
  #exponentials: Float32Array | undefined
  #gumbels: Float32Array | undefined

  constructor(make: (form: 'exponentials' | 'gumbels') => Float32Array) {
    this.#make = make
  }

  get exponentials(): Float32Array {
    this.#exponentials ??= this.#make('exponentials')
    return this.#exponentials
  }

  get gumbels(): Float32Array {
    this.#gumbels ??= this.#make('gumbels')
    return this.#gumbels
  }

  get made(): Float32Array[] {
    return [this.#exponentials, this.#gumbels].filter((vector) => vector !== undefined)
  }
}

/** Positions' noise for Gumbel coupling, kept until the position is committed. */
export class PositionNoise {
  readonly #random: ImageRandom
  readonly #length: number
  readonly #noise = new Map<number, Noise>()
  readonly #free: Float32Array[] = []

  constructor(random: ImageRandom, length: number) {
    this.#random = random
    this.#length = length
  }

  at(position: number): RaceNoise {
    let noise = this.#noise.get(position)
    if (noise === undefined) {
      noise = new Noise((form) => {
        const vector = this.#free.pop() ?? new Float32Array(this.#length)
        this.#random[form](position, vector)
        return vector
      })
      this.#noise.set(position, noise)
    }
    return noise
  }

  forgetBefore(position: number): void {
    for (const [j, noise] of this.#noise) {
      if (j >= position) continue
      this.#noise.delete(j)
      this.#free.push(...noise.made)
    }
  }
}

/** What a pass is read from. */
export interface Readout {
  /** Number of the pass within its image. */
  readonly number: number
  /** [drafts + 1, count]: behind what is committed, then behind each draft. */
  readonly logits: Logits
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

  function rowOf(draft: Draft): number {
    const row = rows.get(draft)
    if (row === undefined) throw new RangeError(`Position ${draft.position} has no row in pass ${number}.`)
    return row
  }

  function make(row: number): Float32Array {
    const p = vectors.lend()
    probabilities(logits, row * count, sampling, p)
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
      return new Deferred(() => make(row))
    },
    winner: (draft) => winner(logits, rowOf(draft) * count, sampling, noise.at(draft.position)),
    uniform: (purpose, position, which) => random.uniform(purpose, position, number, which),
    exponentials: (position) => noise.at(position).exponentials,
  }
}
