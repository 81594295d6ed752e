import { checkSampling, type Logits, RandomAhead, type Sampling } from '../numerics/index.js'
import { drawAhead } from './ahead.js'
import { checkDrafts } from './check-drafts.js'
import { type Draft, NO_CODE, parentOf } from './draft.js'
import { fed, LentLogits, proposed, Room, Vectors } from './lent.js'
import type { Model } from './model.js'
import type { Decodable, PassPlan } from './pass.js'
import { type Fed, freeFrom, planPass, rowsOf } from './plan.js'
import { checkPolicy, type DecodingPolicy, type ImageState, PolicyError, type Verdict } from './policy.js'
import { PositionNoise, readPass } from './readout.js'

/** One pass of an image, as a progress line, a viewer or a test wants it. */
export interface PassRecord {
  /** Number of the pass, from 0. */
  readonly pass: number
  /** Positions that were final before and after it, forced ones included. */
  readonly committedBefore: number
  readonly committed: number
  /** How many drafts it accepted. */
  readonly accepted: number
  /** Entries it fed. */
  readonly entries: number
  /** First position behind the committed ones, to which the first of `drafts` and `levels` belong. */
  readonly windowStart: number
  /** [window] ids that the positions held: drafts (of a tree, its first at each), forced tokens, -1 where there was none. */
  readonly drafts: Int32Array
  /** [window] levels of noise they were fed with, 0: clean. */
  readonly levels: Uint8Array
}

export interface TrajectoryOptions {
  readonly model: Model
  readonly policy: DecodingPolicy
  readonly sampling: Sampling
  readonly seed: bigint | number
  /** The image's number under this seed. */
  readonly index: number
  /** Told of every pass, after it. */
  readonly onPass?: ((record: PassRecord) => void) | undefined
}

/**
 * The decoding of one image: committed tokens, drafts behind them, and which of the worker's cells are valid.
 * Its next state is a function of its state and the logits: it may be stopped, moved and repeated at will.
 */
export class Trajectory implements Decodable, ImageState {
  readonly model: Model
  readonly policy: DecodingPolicy
  readonly sampling: Sampling
  readonly random: RandomAhead
  readonly tokens: Int32Array
  readonly history: number[] = []
  readonly #onPass: TrajectoryOptions['onPass']
  readonly #vectors: Vectors
  readonly #latents: Vectors
  /** Where plans' latents lie. */
  readonly #room = new Room()
  readonly #noise: PositionNoise
  readonly #logits = new LentLogits()
  /** The image's last free position, -1 where all are forced. */
  readonly #lastFree: number
  #committed = 0
  #drafts: Draft[] = []
  /** Valid cells, the anchor's included, and those that must be copied to their end first. */
  #valid = 0
  #keep = new Int32Array()

  /** @throws PolicyError where the policy needs what the model has not; RangeError for senseless settings. */
  constructor({ model, policy, sampling, seed, index, onPass }: TrajectoryOptions) {
    checkSampling(sampling)
    checkPolicy(policy, model)
    this.model = model
    this.policy = policy
    this.sampling = sampling
    this.random = new RandomAhead(seed, index)
    this.tokens = Int32Array.from(model.layout)
    this.#onPass = onPass
    this.#vectors = new Vectors(model.image.count, proposed)
    this.#latents = new Vectors(model.embeddings.width, fed)
    this.#noise = new PositionNoise(this.random, model.image.count)
    this.#lastFree = model.layout.findLastIndex((id) => id < 0)
    this.#commit([])
    this.#schedule()
  }

  get length(): number {
    return this.tokens.length
  }

  get committed(): number {
    return this.#committed
  }

  get drafts(): readonly Draft[] {
    return this.#drafts
  }

  get passes(): number {
    return this.history.length
  }

  get done(): boolean {
    return this.#committed === this.length
  }

  upcoming(count: number): number[] {
    if (!(count >= 0)) {
      throw new PolicyError(`${this.policy.name} asks for a window of ${count}.`, 'Give 0 or more.')
    }
    const positions: number[] = []
    for (let j = this.#committed; j < this.#lastFree && positions.length < count; j += 1) {
      if (this.model.layout[j] < 0) positions.push(j)
    }
    return positions
  }

  latent(): Float32Array {
    return this.#latents.lend()
  }

  plan(): PassPlan {
    if (this.done) throw new Error('The image is finished: there is no pass to plan.')
    return planPass(this.#fed())
  }

  advance(logits: Logits): void {
    const drafts = this.#drafts
    const expected = (drafts.length + 1) * this.model.image.count
    if (this.done || logits.length !== expected) {
      throw new RangeError(
        this.done
          ? 'The image is finished: there is no pass to take logits of.'
          : `The pass has ${drafts.length + 1} rows of ${this.model.image.count} logits, ${expected} in all, ` +
              `but ${logits.length} came.`,
      )
    }
    const before = this.#onPass ? this.#record() : null
    const [vectors, noise] = [this.#vectors, this.#noise]
    const lent = this.#logits.take(logits, this.passes)
    const pass = readPass({ number: this.passes, logits: lent, drafts, image: this, vectors, noise })
    const verdict = this.policy.verify(pass, this)
    this.#settle(verdict)
    this.#drafts = this.done ? [] : this.policy.refine(pass, this, verdict)
    this.history.push(verdict.codes.length)
    if (!this.done) this.#schedule()
    this.#vectors.reclaim(this.#drafts)
    this.#latents.reclaim(this.#drafts)
    this.#logits.reclaim(this.#drafts)
    this.#noise.forgetBefore(this.#committed)
    if (before !== null) {
      this.#onPass?.({
        ...before,
        accepted: this.#accepted(before.windowStart, drafts, verdict),
        committed: this.#committed,
      })
    }
  }

  prepare(): boolean {
    return drawAhead(this, this.#noise, this.random)
  }

  holds(memory: ArrayBufferLike): boolean {
    return this.#logits.lieIn(memory)
  }

  forgetCells(): void {
    this.#valid = 0
    this.#keep = new Int32Array()
  }

  /** Commits what verification found, and works out which cells stay valid. */
  #settle(verdict: Verdict): void {
    this.#check(verdict)
    const { codes, held } = verdict
    const [base, rows] = [this.#valid, rowsOf(this.#fed())]
    // Entry i was written to cell base + i. Cells are sound up to what was committed before, and then those of the
    // drafts that are held; where these lie elsewhere than behind one another, they are copied.
    const cells = Array.from({ length: rows[0] + 1 }, (_, entry) => base + entry)
    for (const draft of held) {
      for (let entry = rows[draft] + 1; entry <= rows[draft + 1]; entry += 1) cells.push(base + entry)
    }
    this.#commit(codes)
    // The last committed token is always fed again: its output predicts what comes next.
    this.#valid = Math.min(base + cells.length, this.#committed)
    const sound = cells.slice(0, this.#valid - base)
    const moved = sound.findIndex((cell, i) => cell !== base + i)
    this.#keep = Int32Array.from(moved < 0 ? [] : sound.slice(moved))
    this.#drafts = this.#drafts.filter(({ position }) => position >= this.#committed)
  }

  #check({ codes, held }: Verdict): void {
    const drafts = this.#drafts
    const { count } = this.model.image
    const senseless = codes.find((code) => !(Number.isInteger(code) && code >= 0 && code < count))
    if (senseless !== undefined) {
      throw new PolicyError(
        `${this.policy.name} committed ${senseless}, which is no image code.`,
        `Commit codes counted from 0, below ${count}.`,
      )
    }
    // A code each for what is committed and for every draft, and those that were settled before.
    const most = drafts.length + 1 + drafts.filter(({ role }) => role === 'settled').length
    const path = held.every((i, k) => i in drafts && parentOf(drafts, i) === (k === 0 ? -1 : held[k - 1]))
    if (codes.length < 1 || codes.length > most || held.length > codes.length || !path) {
      throw new PolicyError(
        `${this.policy.name} committed ${codes.length} codes and held [${held.join(', ')}] in a pass over ` +
          `${drafts.length} drafts.`,
        'Commit at least one code and at most one more than there are drafts, besides those that were settled before; ' +
          'hold drafts that follow one another from the front, no more than are committed.',
      )
    }
    const free = this.upcoming(held.length)
    const lost = held.find((i, k) => drafts[i].position !== free[k] || drafts[i].code !== codes[k])
    if (lost !== undefined) {
      throw new PolicyError(
        `${this.policy.name} held draft ${lost}, code ${drafts[lost].code} at position ${drafts[lost].position}, which is ` +
          'not what it committed there.',
        'Hold drafts whose codes are committed: what is behind them would be decoded from the cells of others.',
      )
    }
  }

  /** Makes codes final at the next free positions, and forced tokens as soon as they are reached. */
  #commit(codes: readonly number[]): void {
    const { layout, image } = this.model
    let next = 0
    for (; this.#committed < this.length; this.#committed += 1) {
      if (layout[this.#committed] >= 0) continue
      if (next === codes.length) return
      this.tokens[this.#committed] = image.first + codes[next]
      next += 1
    }
  }

  #schedule(): void {
    const drafts = this.policy.schedule(this)
    checkDrafts(this.policy, drafts, this.model, { first: this.#committed, end: this.#lastFree })
    this.#drafts = drafts
  }

  #fed(): Fed {
    return {
      model: this.model,
      tokens: this.tokens,
      committed: this.#committed,
      valid: this.#valid,
      keep: this.#keep,
      drafts: this.#drafts,
      room: (length) => this.#room.of(length),
    }
  }

  #record(): Omit<PassRecord, 'accepted' | 'committed'> {
    const [start, drafts, { layout, image }] = [this.#committed, this.#drafts, this.model]
    const end = Math.max(start, ...drafts.map(({ position }) => freeFrom(this.model, position + 1)))
    const held = Int32Array.from(layout.subarray(start, end))
    const levels = new Uint8Array(held.length)
    for (const { position, code, noise } of drafts.toReversed()) {
      held[position - start] = code === NO_CODE ? -1 : image.first + code
      levels[position - start] = noise?.level ?? 0
    }
    return {
      pass: this.passes,
      committedBefore: start,
      entries: rowsOf(this.#fed())[drafts.length] + 1,
      windowStart: start,
      drafts: held,
      levels,
    }
  }

  /** How many drafts, from the front, are what was committed. */
  #accepted(front: number, drafts: readonly Draft[], { codes }: Verdict): number {
    let [node, position] = [-1, front]
    for (const [depth, code] of codes.entries()) {
      node = drafts.findIndex(
        (draft, i) =>
          parentOf(drafts, i) === node &&
          draft.position === position &&
          draft.code === code &&
          draft.role !== 'stand-in',
      )
      if (node < 0) return depth
      position = freeFrom(this.model, position + 1)
    }
    return codes.length
  }
}
