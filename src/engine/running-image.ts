import { performance } from 'node:perf_hooks'
import type { Worker } from '../bridge/index.js'
import type { Logits } from '../numerics/index.js'
import { concatenated } from './concatenated.js'
import type { Job, JobStatistics } from './job.js'
import { type Branch, type LanePlan, promptPlan, weightOf } from './lane.js'
import { splitPlan } from './split.js'
import type { Ticket } from './submission.js'

/**
 * Entries of a prompt, for each branch, that a forward takes at most: so many take about as long as an image's pass does,
 * so that images which decode meanwhile are not held up, and enough that a forward's time goes by its entries, so that a
 * prompt loses nothing by its pieces.
 */
const PREFILL = 256

/** What an image wants in one forward. */
interface Step {
  readonly lanes: readonly LanePlan[]
  /** Entries of a pass's plan, in each branch; none where it only reads the prompt. */
  readonly entries: number
  /** Whether the plan of a pass is complete with it, so that the image can advance. */
  readonly completes: boolean
}

/** What a forward took, in seconds of wall time; or an image's share of that. */
export interface Spent {
  /** The model's. */
  readonly forward: number
  /** The rest: the wire, and the worker's other work. */
  readonly bridge: number
}

/** An image that holds slots of the worker: it knows which steps bring it forward from where its cells are. */
export class RunningImage {
  readonly ticket: Ticket
  readonly job: Job
  readonly branches: readonly Branch[]
  /** Whether its forwards are to hold no other image until it advances, to find out which of several the worker refuses. */
  alone = false
  readonly #since = performance.now()
  readonly #spent = {
    passes: 0,
    entries: 0,
    forwardSeconds: 0,
    bridgeSeconds: 0,
    policySeconds: 0,
    prefillPasses: 0,
    prefillSeconds: 0,
  }
  /** The worker that holds this image's cells; undefined where none does. */
  #worker: Worker | undefined
  /** Entries that a forward takes at most. */
  #maxEntries = 0
  #steps: Step[] = []
  /** Logits of the steps taken so far of a pass in several. */
  #parts: Logits[] = []

  constructor(ticket: Ticket, slots: readonly number[]) {
    const { conditional, unconditional } = ticket.job.prompt
    this.ticket = ticket
    this.job = ticket.job
    this.branches = slots.map((slot, i) => ({ slot, prompt: [conditional, unconditional][i] }))
  }

  get statistics(): JobStatistics {
    return { ...this.#spent, seconds: (performance.now() - this.#since) / 1000 }
  }

  /**
   * The lanes of the next step, of at most `maxEntries` entries; the same until `take`. A worker that does not hold the
   * image's cells gets them first.
   * @throws what the policy throws; WorkerError `too-large` where its pass cannot be cut into such steps
   */
  next(worker: Worker, maxEntries: number): readonly LanePlan[] {
    if (worker !== this.#worker || maxEntries !== this.#maxEntries) {
      this.#worker = worker
      this.#maxEntries = maxEntries
      this.job.image.forgetCells()
      this.#parts = []
      this.#steps = this.#firstSteps()
    }
    if (this.#steps.length === 0) this.#steps = this.#passSteps()
    return this.#steps[0].lanes
  }

  /** The worker's cells of this image are lost, or not to be trusted: the next step fills them anew. */
  forgetCells(): void {
    this.#worker = undefined
  }

  /**
   * Takes what came of the step: its logits, [rows, image count], and its share of what the forward took. Says whether
   * the image advanced.
   */
  take(logits: Logits, { forward, bridge }: Spent): boolean {
    const { entries, completes } = this.#steps.shift() as Step
    if (entries === 0) {
      this.#spent.prefillPasses++
      this.#spent.prefillSeconds += forward + bridge
      return false
    }
    this.#spent.entries += entries
    this.#spent.forwardSeconds += forward
    this.#spent.bridgeSeconds += bridge
    this.#parts.push(logits)
    if (!completes) return false
    // Of several images, one whose prompt is long would else be tried among the others again before its pass is.
    this.alone = false
    this.#spent.passes++
    const [first, ...more] = this.#parts
    const whole = more.length === 0 ? first : joined(this.#parts)
    this.#timed(() => this.job.image.advance(whole))
    this.#parts = []
    return true
  }

  /** As the image's own; one that fails over it ends. */
  prepare(): boolean {
    try {
      return this.job.image.prepare?.() ?? false
    } catch (error) {
      this.ticket.fail(error)
      return false
    }
  }

  /** Whether logits that lie in this memory may still be read. */
  holds(memory: ArrayBufferLike): boolean {
    return this.#parts.some(({ buffer }) => buffer === memory) || this.job.image.holds(memory)
  }

  /** The image has ended: what it holds of replies may be used again, also where another engine goes on with it. */
  detach(): void {
    this.#parts = []
    try {
      this.job.image.detach?.()
    } catch {
      // It failed over these logits: nobody goes on with it.
    }
  }

  /** The prompt and the first pass. The last of the one goes with the first of the other where both fit in one forward. */
  #firstSteps(): Step[] {
    const prompt = this.#promptSteps()
    const pass = this.#passSteps()
    const [last, first] = [prompt[prompt.length - 1], pass[0]]
    if (last === undefined) return pass
    const lanes = [...last.lanes, ...first.lanes]
    const weight = lanes.reduce((sum, lane) => sum + weightOf(lane), 0)
    if (weight > this.#maxEntries) return [...prompt, ...pass]
    return [...prompt.slice(0, -1), { ...first, lanes }, ...pass.slice(1)]
  }

  /** The branches' prompts are filled side by side. */
  #promptSteps(): Step[] {
    const { vectors } = this.job.prompt
    const pieces = this.branches.map((branch) =>
      branch.prompt.length === 1
        ? []
        : splitPlan(promptPlan(branch.prompt), Math.min(PREFILL, this.#entriesOfPlan)),
    )
    const count = Math.max(...pieces.map(({ length }) => length))
    return Array.from({ length: count }, (_, step) => ({
      lanes: this.branches.flatMap((branch, i) =>
        pieces[i].slice(step, step + 1).map((plan) => ({ branches: [branch], guidance: 1, plan, vectors })),
      ),
      entries: 0,
      completes: false,
    }))
  }

  #passSteps(): Step[] {
    const { branches } = this
    const { guidance, image, prompt } = this.job
    const plan = this.#timed(() => image.plan())
    if (plan.tokens.length === 0) throw new Error('The image is not done, but plans a pass without entries.')
    const plans = splitPlan(plan, this.#entriesOfPlan)
    return plans.map((plan, i) => ({
      lanes: [{ branches, guidance, plan, vectors: prompt.vectors }],
      entries: plan.tokens.length,
      completes: i === plans.length - 1,
    }))
  }

  /** Most entries of one plan, so that all branches fit in one forward. */
  get #entriesOfPlan(): number {
    return Math.floor(this.#maxEntries / this.branches.length)
  }

  /** Adds what `decide` takes to the policy's time. */
  #timed<T>(decide: () => T): T {
    const begin = performance.now()
    const result = decide()
    this.#spent.policySeconds += (performance.now() - begin) / 1000
    return result
  }
}

function joined(parts: readonly Logits[]): Logits {
  const singles = parts.filter((part) => part instanceof Float32Array)
  const halves = parts.filter((part) => part instanceof Uint16Array)
  return singles.length > 0 ? concatenated(Float32Array, singles) : concatenated(Uint16Array, halves)
}
