import { ImageRandom } from './random.js'

/** Of so many positions normal numbers are drawn ahead: how many will be asked for is not known. */
export const LIKELY = 8

/** Normal numbers that were asked for in none of so many iterations are not drawn ahead: nothing is noisy any more. */
const RECENT = 4

/** Normal numbers that nobody has asked for yet. */
interface Drawn {
  position: number
  iteration: number
  readonly numbers: Float32Array
}

/**
 * An image's random numbers, of which normal ones can be drawn before they are asked for: the very same numbers, only
 * sooner.
 */
export class RandomAhead extends ImageRandom {
  readonly #drawn: Drawn[] = []
  /** In which iteration normal numbers were asked for last, and how many of a position. */
  readonly #asked = { iteration: Number.NaN, length: 0 }

  override normals(position: number, iteration: number, out: Float32Array): void {
    this.#asked.iteration = iteration
    this.#asked.length = out.length
    const drawn = this.#find(position, iteration)
    if (drawn?.numbers.length === out.length) out.set(drawn.numbers)
    else super.normals(position, iteration, out)
  }

  /**
   * Draws the normal numbers of the first of these positions that lacks them, where they were asked for in one of the
   * iterations just before. Returns how many it drew: 0 where none are left.
   */
  drawAhead(positions: Iterable<number>, iteration: number): number {
    if (!(iteration - this.#asked.iteration <= RECENT)) return 0
    let likely = LIKELY
    for (const position of positions) {
      if (likely === 0) return 0
      likely -= 1
      if (this.#find(position, iteration) !== undefined) continue
      const drawn = this.#room(iteration)
      drawn.position = position
      drawn.iteration = iteration
      super.normals(position, iteration, drawn.numbers)
      return drawn.numbers.length
    }
    return 0
  }

  #find(position: number, iteration: number): Drawn | undefined {
    return this.#drawn.find((drawn) => drawn.position === position && drawn.iteration === iteration)
  }

  /** Room whose numbers are of an iteration that is over, or new room. */
  #room(iteration: number): Drawn {
    const { length } = this.#asked
    const over = this.#drawn.find((drawn) => drawn.iteration < iteration && drawn.numbers.length === length)
    if (over !== undefined) return over
    const drawn = { position: -1, iteration: -1, numbers: new Float32Array(length) }
    this.#drawn.push(drawn)
    return drawn
  }
}
