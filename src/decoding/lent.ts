// What an image has been lent, or lends to a pass, and when it goes back: all that outlives a pass is in some draft.
import type { Logits } from '../numerics/index.js'
import type { Draft } from './draft.js'

/** The vector that a draft's proposal is. */
export const proposed = ({ proposal }: Draft): Float32Array | undefined => {
  if (proposal instanceof Deferred) return proposal.made
  return proposal?.kind === 'dense' ? proposal.probabilities : undefined
}

/** The vector that a noisy draft feeds. */
export const fed = ({ noise }: Draft): Float32Array | undefined => noise?.latent

/** Lends vectors of one length and takes them back when no draft has them any more. */
export class Vectors {
  readonly #length: number
  readonly #had: (draft: Draft) => Float32Array | undefined
  readonly #free: Float32Array[] = []
  #lent: Float32Array[] = []

  constructor(length: number, had: (draft: Draft) => Float32Array | undefined) {
    this.#length = length
    this.#had = had
  }

  lend(): Float32Array {
    const vector = this.#free.pop() ?? new Float32Array(this.#length)
    this.#lent.push(vector)
    return vector
  }

  /** Takes back all that were lent but those that some draft has. */
  reclaim(drafts: readonly Draft[]): void {
    const kept = new Set(drafts.map(this.#had))
    const lent = this.#lent
    this.#lent = []
    for (const vector of lent) (kept.has(vector) ? this.#lent : this.#free).push(vector)
  }
}

/**
 * The logits of a pass, [drafts + 1, count]. They are lent: whoever made them uses their memory again once nothing is to
 * be made of them any more, and from then on they cannot be read here.
 */
export class PassLogits {
  readonly #pass: number
  #logits: Logits | undefined

  constructor(logits: Logits, pass: number) {
    this.#logits = logits
    this.#pass = pass
  }

  /** @throws RangeError once they were given back. */
  get values(): Logits {
    if (this.#logits !== undefined) return this.#logits
    throw new RangeError(
      `What was asked of pass ${this.#pass} is gone: a distribution stays for as long as it is the proposal of a draft ` +
        'that the image holds. Ask for it during the pass, and copy what is needed longer.',
    )
  }

  giveBack(): void {
    this.#logits = undefined
  }
}

/** A distribution that is made when it is first read. */
export class Deferred {
  readonly kind = 'dense'
  /** What it is made of. */
  readonly logits: PassLogits
  readonly #make: () => Float32Array
  made: Float32Array | undefined

  constructor(logits: PassLogits, make: () => Float32Array) {
    this.logits = logits
    this.#make = make
  }

  get probabilities(): Float32Array {
    this.made ??= this.#make()
    return this.made
  }
}

/** The logits that were lent to an image. */
export class LentLogits {
  #lent: PassLogits[] = []

  take(logits: Logits, pass: number): PassLogits {
    const taken = new PassLogits(logits, pass)
    this.#lent.push(taken)
    return taken
  }

  /** Gives back all but those that the proposal of some draft is still to be made of. */
  reclaim(drafts: readonly Draft[]): void {
    const needed = new Set(
      drafts.map(({ proposal }) =>
        proposal instanceof Deferred && proposal.made === undefined ? proposal.logits : undefined,
      ),
    )
    for (const logits of this.#lent) if (!needed.has(logits)) logits.giveBack()
    this.#lent = this.#lent.filter((logits) => needed.has(logits))
  }

  /** Whether some of them lie in this memory. */
  lieIn(memory: ArrayBufferLike): boolean {
    return this.#lent.some(({ values }) => values.buffer === memory)
  }
}
