import type { Job, JobStatistics } from './job.js'
import type { Source } from './scheduler.js'
import { Ticket, type TicketOffice } from './submission.js'
import type { ForwardTiming } from './timing.js'

export interface RunOptions {
  /** Aborting it ends the run's images before their next pass, and the run with the signal's reason. */
  readonly signal?: AbortSignal
  /** Ends the run early, in good order. */
  readonly early?: {
    /** Once it aborts, no image begins, and of those begun only the kept ones go on. */
    readonly signal: AbortSignal
    readonly keeps: (job: Job) => boolean
  }
  /** After each forward, for each image that was in it. */
  readonly onStep?: (job: Job, statistics: JobStatistics) => void
  /** When an image is done. */
  readonly onDone?: (job: Job, statistics: JobStatistics) => void
  /**
   * When an image failed, by its policy or because the worker refuses it; the others go on. Without it the run rejects
   * with the first such error when the others are done.
   */
  readonly onFailed?: (job: Job, error: unknown) => void
  /** After each forward while the run lasts: where its time went. */
  readonly onForward?: (timing: ForwardTiming) => void
}

/** Many jobs, submitted one by one as slots become free, and awaited together. */
export class Run implements Source {
  /**
   * Resolves when all have ended.
   * Rejects with the signal's reason, with what the iterable or a callback threw, with the worker's error or, where nobody
   * listens to failures, with the first image's.
   */
  readonly ended: Promise<void>
  readonly #jobs: Iterator<Job>
  readonly #office: TicketOffice
  readonly #options: RunOptions
  readonly #open = new Set<Ticket>()
  #exhausted = false
  #firstError: { readonly error: unknown } | undefined
  #resolve!: () => void
  #reject!: (error: unknown) => void

  constructor(jobs: Iterable<Job>, office: TicketOffice, options: RunOptions) {
    this.#jobs = jobs[Symbol.iterator]()
    this.#office = office
    this.#options = options
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    const { signal, early } = options
    const over = new AbortController()
    const listening = { signal: over.signal }
    signal?.addEventListener('abort', () => this.stop(signal.reason), listening)
    early?.signal.addEventListener('abort', () => this.#windDown(early.keeps), listening)
    const unlisten = () => over.abort()
    this.ended.then(unlisten, unlisten)
    if (early?.signal.aborted) this.#windDown(early.keeps)
  }

  next(): Ticket | undefined {
    const job = this.#nextJob()
    if (job === undefined) {
      this.#exhausted = true
      this.#settle()
      return undefined
    }
    const { onStep, onDone, onFailed } = this.#options
    const ticket: Ticket = new Ticket(job, this.#office, {
      onStep: (statistics) => this.#guard(() => onStep?.(job, statistics)),
      onDone: (statistics) => this.#end(ticket, () => onDone?.(job, statistics)),
      onFailed: (error) =>
        this.#end(ticket, () => {
          if (onFailed) onFailed(job, error)
          else this.#firstError ??= { error }
        }),
    })
    this.#open.add(ticket)
    return ticket
  }

  forwarded(timing: ForwardTiming): void {
    this.#guard(() => this.#options.onForward?.(timing))
  }

  /** Ends the run and its images. */
  stop(reason: unknown): void {
    this.#reject(reason)
    this.#exhausted = true
    const open = [...this.#open]
    this.#open.clear()
    for (const ticket of open) ticket.cancel(reason)
  }

  #windDown(keeps: (job: Job) => boolean): void {
    this.#exhausted = true
    for (const ticket of [...this.#open]) {
      if (ticket.job.image.done || keeps(ticket.job)) continue
      this.#open.delete(ticket)
      ticket.cancel()
    }
    this.#settle()
  }

  #nextJob(): Job | undefined {
    if (this.#exhausted) return undefined
    try {
      const { done, value } = this.#jobs.next()
      return done ? undefined : value
    } catch (error) {
      this.stop(error)
      return undefined
    }
  }

  #end(ticket: Ticket, callback: () => void): void {
    if (!this.#open.delete(ticket)) return
    this.#guard(callback)
    this.#settle()
  }

  #settle(): void {
    if (!this.#exhausted || this.#open.size > 0) return
    if (this.#firstError) this.#reject(this.#firstError.error)
    else this.#resolve()
  }

  #guard(callback: () => void): void {
    try {
      callback()
    } catch (error) {
      this.stop(error)
    }
  }
}
