import { ANCHOR, type Decodable, type PassPlan } from '../../src/decoding/pass.js'

/** What greedy decoding must know of a model without forced positions. */
export interface GreedyModel {
  readonly first: number
  readonly count: number
  readonly length: number
}

/**
 * The smallest image that drafts: greedy Jacobi decoding with a window of drafts that all start as `start`. Whatever the
 * window and the start, its tokens are those of greedy sequential decoding (window 0).
 */
export class Greedy implements Decodable {
  readonly tokens: Int32Array
  committed = 0
  passes = 0
  /** Cells that hold what they must; cell `c` holds position `c - 1`. */
  #cells = 0
  readonly #model: GreedyModel
  readonly #window: number

  constructor(model: GreedyModel, window: number, start = 0) {
    this.#model = model
    this.#window = window
    this.tokens = new Int32Array(model.length).fill(model.first + start)
  }

  get done(): boolean {
    return this.committed === this.tokens.length
  }

  plan(): PassPlan {
    const end = Math.min(this.committed + this.#window, this.tokens.length - 1)
    const positions = Int32Array.from({ length: end - this.#cells + 1 }, (_, i) => this.#cells - 1 + i)
    return {
      base: this.#cells,
      tokens: positions.map((position) => (position < 0 ? ANCHOR : this.tokens[position])),
      positions,
      latents: new Float32Array(),
      timesteps: new Float32Array(),
      rows: positions.map((_, i) => i).filter((i) => positions[i] >= this.committed - 1),
    }
  }

  advance(logits: Float32Array): void {
    const { first, count } = this.#model
    const best = Array.from({ length: logits.length / count }, (_, row) => {
      const own = logits.subarray(row * count, (row + 1) * count)
      return first + own.indexOf(own.reduce((a, b) => Math.max(a, b)))
    })
    const drafts = this.tokens.slice(this.committed, this.committed + best.length)
    const wrong = best.findIndex((id, i) => id !== drafts[i])
    this.tokens.set(best, this.committed)
    this.committed += wrong === -1 ? best.length : wrong + 1
    this.#cells = this.committed
    this.passes++
  }

  holds(): boolean {
    return false
  }

  forgetCells(): void {
    this.#cells = 0
  }
}
