import { EventEmitter, on } from 'node:events'
import type { Job, JobStatistics } from './job.js'
import type { Picture } from './pictures.js'

/** An image that was given to the engine. */
export interface Submission {
  readonly job: Job
  /** Resolves with what the image cost; rejects with its own error, the worker's, or the reason of `cancel`. */
  readonly done: Promise<JobStatistics>
  /** What the image has cost after each forward that it is in, from the first read on; ends when the image ends. */
  readonly steps: AsyncIterable<JobStatistics>
  /** Ends the image. Its slots are free for the next pass; nothing happens where it has ended already. */
  cancel(reason?: unknown): void
  /** The image as it stands: committed codes, drafts behind them, guesses behind those. Waits behind passes. */
  picture(): Promise<Picture>
}

/** Told at once, before the engine does anything else. */
export interface SubmissionHooks {
  readonly onStep?: ((statistics: JobStatistics) => void) | undefined
  readonly onDone?: ((statistics: JobStatistics) => void) | undefined
  readonly onFailed?: ((error: unknown) => void) | undefined
}

/** What a ticket asks of the engine. */
export interface TicketOffice {
  /** The image as it stands, as a picture. */
  picture(ticket: Ticket): Promise<Picture>
  /** The image has finished, failed or was cancelled. */
  ended(ticket: Ticket): void
}

/** The engine's side of a submission. */
export class Ticket implements Submission {
  readonly job: Job
  readonly done: Promise<JobStatistics>
  readonly #office: TicketOffice
  readonly #hooks: SubmissionHooks
  readonly #events = new EventEmitter()
  #resolve!: (statistics: JobStatistics) => void
  #reject!: (error: unknown) => void
  #ended = false

  constructor(job: Job, office: TicketOffice, hooks: SubmissionHooks) {
    this.job = job
    this.#office = office
    this.#hooks = hooks
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // Whoever reads the steps, or gave hooks, hears of the error there: `done` need not be read.
    this.done.catch(() => {})
  }

  /** Whether it is finished, failed or cancelled. */
  get ended(): boolean {
    return this.#ended
  }

  get steps(): AsyncIterable<JobStatistics> {
    return this.#steps()
  }

  cancel(reason: unknown = new Error('The image was cancelled.')): void {
    this.fail(reason)
  }

  picture(): Promise<Picture> {
    return this.#office.picture(this)
  }

  step(statistics: JobStatistics): void {
    this.#events.emit('step', statistics)
    this.#hooks.onStep?.(statistics)
  }

  finish(statistics: JobStatistics): void {
    if (!this.#end()) return
    this.#resolve(statistics)
    this.#hooks.onDone?.(statistics)
  }

  fail(error: unknown): void {
    if (!this.#end()) return
    this.#reject(error)
    this.#hooks.onFailed?.(error)
  }

  #end(): boolean {
    if (this.#ended) return false
    this.#ended = true
    this.#events.emit('end')
    this.#office.ended(this)
    return true
  }

  async *#steps(): AsyncGenerator<JobStatistics> {
    if (!this.#ended) {
      for await (const [statistics] of on(this.#events, 'step', { close: ['end'] })) yield statistics
    }
    await this.done
  }
}
