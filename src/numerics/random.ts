import { philox } from './philox.js'

/** What a random number is for: numbers of different purposes are independent of each other. */
export const purposes = { initial: 0, accept: 1, draw: 2, latent: 3, race: 4, sibling: 5 } as const

export type Purpose = keyof typeof purposes

/** Blocks of four numbers share a counter but for its first word, which is `purpose + PURPOSES * block`. */
const PURPOSES = 256

/**
 * Half-way between two multiples of 2^-32: uniform on (0, 1) with a resolution of 2^-32, never 0 and never 1.
 */
const toUniform = (word: number): number => (word + 0.5) * 2 ** -32

/**
 * All random numbers of one image. They are a function of (seed, image, purpose, position, iteration) alone,
 * by Philox4x32-10: another batch, order, machine or restart draws the same ones.
 */
export class ImageRandom {
  readonly #image: number
  readonly #key0: number
  readonly #key1: number
  readonly #block = new Uint32Array(4)

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
    return toUniform(this.#fill(purpose, number, position, iteration)[0])
  }

  /** Standard normal numbers by Box and Muller (|x| < 6.8). */
  normals(position: number, iteration: number, out: Float32Array): void {
    for (let i = 0; i < out.length; i += 4) {
      const block = this.#fill('latent', i >> 2, position, iteration)
      for (let k = 0; k < 4 && i + k < out.length; k += 2) {
        const radius = Math.sqrt(-2 * Math.log(toUniform(block[k])))
        const angle = 2 * Math.PI * toUniform(block[k + 1])
        out[i + k] = radius * Math.cos(angle)
        if (i + k + 1 < out.length) out[i + k + 1] = radius * Math.sin(angle)
      }
    }
  }

  /**
   * Exponential numbers `E` of mean 1 that belong to a position once and for all. Gumbel noise is `-log E`,
   * so that `argmax log p + g` is the race `argmax p / E` (see `race`).
   */
  exponentials(position: number, out: Float32Array): void {
    for (let i = 0; i < out.length; i += 4) {
      const block = this.#fill('race', i >> 2, position, 0)
      for (let k = 0; k < 4 && i + k < out.length; k += 1) out[i + k] = -Math.log(toUniform(block[k]))
    }
  }

  #fill(purpose: Purpose, block: number, position: number, iteration: number): Uint32Array {
    const word = purposes[purpose] + PURPOSES * block
    philox(word, this.#image, position, iteration, this.#key0, this.#key1, this.#block)
    return this.#block
  }
}
