import { exponentials, normals, type StrongNoise, strong } from './kernels.js'
import { type Stream, toUniform, wordsOf } from './stream.js'

/** What a random number is for: numbers of different purposes are independent of each other. */
export const purposes = { initial: 0, accept: 1, draw: 2, latent: 3, race: 4, sibling: 5 } as const

export type Purpose = keyof typeof purposes

/**
 * All random numbers of one image. They are a function of (seed, image, purpose, position, iteration) alone,
 * by Philox4x32-10: another batch, order, machine or restart draws the same ones.
 */
export class ImageRandom {
  readonly #image: number
  readonly #key0: number
  readonly #key1: number

  /**
   * @param seed 64 bits; a number must be a safe integer.
   * @param image the image's number under this seed, below 2^32.
   * @throws RangeError where they are not.
   */
  constructor(seed: bigint | number, image: number) {
    if (typeof seed === 'number' && !Number.isSafeInteger(seed)) {
      throw new RangeError(`The seed ${seed} is no integer that a number can hold exactly: give a bigint.`)
    }
    if (!Number.isInteger(image) || image < 0 || image >= 2 ** 32) {
      throw new RangeError(`An image's number is an integer from 0 to 2^32 - 1, not ${image}.`)
    }
    const bits = BigInt.asUintN(64, BigInt(seed))
    this.#image = image
    this.#key0 = Number(bits & 0xffffffffn)
    this.#key1 = Number(bits >> 32n)
  }

  /** The `number`-th of its purpose there, on (0, 1), resolution 2^-32. */
  uniform(purpose: Purpose, position: number, iteration: number, number = 0): number {
    return toUniform(wordsOf(this.#stream(purpose, position, iteration), number)[0])
  }

  /** Standard normal numbers by Box and Muller (|x| < 6.8). */
  normals(position: number, iteration: number, out: Float32Array): void {
    normals(this.#stream('latent', position, iteration), out)
  }

  /**
   * Exponential numbers `E` of mean 1 that belong to a position once and for all. Gumbel noise is `-log E`,
   * so that `argmax log p + g` is the race `argmax p / E` (see `race`).
   */
  exponentials(position: number, out: Float32Array): void {
    exponentials(this.#stream('race', position, 0), out)
  }

  /** The highest of `-log E` for `count` of the same numbers, to 2e-6: for `winner`. In `room`, where that suffices. */
  strong(position: number, count: number, room?: Uint32Array): StrongNoise {
    return strong(this.#stream('race', position, 0), count, room)
  }

  #stream(purpose: Purpose, position: number, iteration: number): Stream {
    return {
      purpose: purposes[purpose],
      image: this.#image,
      position,
      iteration,
      key0: this.#key0,
      key1: this.#key1,
    }
  }
}
