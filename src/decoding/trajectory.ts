import { Scratch } from '../common/scratch.js'
import { checkSampling, type Logits, RandomAhead, type Sampling } from '../numerics/index.js'
import { drawAhead } from './ahead.js'
import { checkDrafts } from './check-drafts.js'
import { checkVerdict } from './check-verdict.js'
import { type Draft, NO_CODE } from './draft.js'
import { KeptCells } from './kept-cells.js'
import { Deferred, fed, LentLogits, proposed, Vectors } from './lent.js'
import type { Model } from './model.js'
import type { Decodable, PassPlan } from './pass.js'
import { type PassRecord, recordOf } from './pass-record.js'
import { type Fed, planPass, rowsOf } from './plan.js'
import { checkPolicy, type DecodingPolicy, type ImageState, PolicyError, type Verdict } from './policy.js'
import { PositionNoise, readPass } from './readout.js'

const NOTHING: ReadonlyMap<number, number> = new Map()

export interface TrajectoryOptions {
  readonly model: Model
  readonly policy: DecodingPolicy
  readonly sampling: Sampling
  /** Key of the image's random numbers. */
  readonly seed: bigint | number
  /** The image's number under this key. */
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
  readonly #room = new Scratch()
  readonly #noise: PositionNoise
  readonly #logits = new LentLogits()
  /** Where the policy keeps keys, its cells: then the two below are not used. */
  readonly #kept: KeptCells | undefined
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
    this.#kept = policy.keepsKeys === true ? new KeptCells() : undefined
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

  get ahead(): ReadonlyMap<number, number> {
    return this.#kept?.ahead ?? NOTHING
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
    return this.#kept?.plan(this.#fed()) ?? planPass(this.#fed())
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
    const begun = this.#onPass && { ...this.#fed(), ahead: new Map(this.ahead), entries: this.#entries }
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
    if (begun) this.#onPass?.(recordOf(this.passes - 1, begun, verdict, this.#committed))
  }

  prepare(): boolean {
    return drawAhead(this, this.#noise, this.random)
  }

  /** Behind what is committed: the codes of the drafts, then the codes above them, then those before them. */
  preview(): Int32Array {
    const { layout, image, rowLength } = this.model
    const ids = Int32Array.from(this.tokens)
    for (const { position, code } of this.#drafts) {
      if (code !== NO_CODE && ids[position] < 0) ids[position] = image.first + code
    }
    for (const [position, code] of this.ahead) ids[position] = image.first + code
    for (let j = this.#committed; j < this.length; j += 1) {
      if (layout[j] >= 0 || ids[j] >= 0) continue
      const near = [j - rowLength, j - 1].find((from) => from >= 0 && layout[from] < 0)
      ids[j] = near === undefined ? image.first : ids[near]
    }
    return ids
  }

  holds(memory: ArrayBufferLike): boolean {
    return this.#logits.lieIn(memory)
  }

  detach(): void {
    for (const { proposal } of this.#drafts) if (proposal instanceof Deferred) void proposal.probabilities
    this.#logits.reclaim(this.#drafts)
  }

  forgetCells(): void {
    this.#valid = 0
    this.#keep = new Int32Array()
    this.#kept?.forget()
  }

  /** Commits what verification found, and works out which cells stay valid. */
  #settle(verdict: Verdict): void {
    checkVerdict(this.policy, verdict, this)
    const { codes, held } = verdict
    if (this.#kept === undefined) this.#hold(held, codes)
    else {
      this.#kept.keep(this.#fed())
      this.#commit(codes)
      this.#kept.forgetBefore(this.#committed)
    }
    this.#drafts = this.#drafts.filter(({ position }) => position >= this.#committed)
  }

  /** Commits codes; of the pass's cells, those of the held drafts stay. */
  #hold(held: readonly number[], codes: readonly number[]): void {
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

  /** Entries that the next pass feeds. */
  get #entries(): number {
    const fed = this.#fed()
    return this.#kept?.plan(fed).tokens.length ?? rowsOf(fed)[fed.drafts.length] + 1
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
}
