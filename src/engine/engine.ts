import { type Answer, isLost, isOutOfMemory, type Worker } from '../bridge/index.js'
import { fairShare, handBack, weightOfNext } from './batch.js'
import type { Job } from './job.js'
import type { Picture } from './pictures.js'
import { type Forward, type ForwardResult, Pipeline } from './pipeline.js'
import { prepareUntil } from './prepare.js'
import { Previews } from './previews.js'
import { Run, type RunOptions } from './run.js'
import type { RunningImage } from './running-image.js'
import { Scheduler } from './scheduler.js'
import { type Submission, type SubmissionHooks, Ticket, type TicketOffice } from './submission.js'
import type { SupervisedWorker } from './supervised-worker.js'
import { clock, type ForwardTiming } from './timing.js'

export interface EngineOptions {
  /** How many submitted images may wait for slots; default: any number. */
  readonly queue?: number | undefined
  /** After each forward: where its time went. */
  readonly onForward?: ((timing: ForwardTiming) => void) | undefined
  /** The device's memory ran out: from now on a forward takes so many entries at most. */
  readonly onFewerEntries?: ((maxEntries: number) => void) | undefined
}

/**
 * Decodes images together through one worker: collect what they want, forward it, hand back each its rows. Images come
 * and go at any time; each advances by its own acceptance. While one half of them is forwarded, the other half's logits
 * are decided upon, so that the device does not wait. Where the worker died, the images go on with the next one from
 * what they hold themselves.
 */
export class Engine implements TicketOffice {
  readonly #worker: SupervisedWorker
  readonly #options: EngineOptions
  readonly #scheduler: Scheduler
  readonly #pipeline = new Pipeline()
  readonly #previews: Previews
  readonly #runs = new Set<Run>()
  /** Entries that a forward takes at most: as many as the worker says, fewer once its memory ran out. */
  #maxEntries: number
  #looping = false
  /** Wakes the loop where it waits for an answer. */
  #wake = () => {}

  constructor(worker: SupervisedWorker, options: EngineOptions = {}) {
    const { slots, maxEntries } = worker.hello
    this.#worker = worker
    this.#options = options
    this.#scheduler = new Scheduler(slots, options.queue)
    this.#previews = new Previews(worker, () => this.#changed())
    this.#maxEntries = maxEntries
  }

  /** @throws WorkerError `queue-full` */
  submit(job: Job, hooks: SubmissionHooks = {}): Submission {
    const ticket = new Ticket(job, this, hooks)
    this.#scheduler.add(ticket)
    this.#changed()
    return ticket
  }

  /**
   * Submits all jobs and waits for all. Each is asked for only when there may be slots for it.
   * @throws as `Run.ended` says
   */
  async run(jobs: Iterable<Job>, options: RunOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    const run = new Run(jobs, this, options)
    this.#runs.add(run)
    this.#scheduler.addAll(run)
    this.#changed()
    await run.ended.finally(() => this.#runs.delete(run))
  }

  picture({ job }: Ticket): Promise<Picture> {
    const picture = this.#previews.ask(job.image)
    this.#changed()
    return picture
  }

  ended(): void {
    this.#changed()
  }

  /** Somebody came or went. */
  #changed(): void {
    this.#wake()
    if (this.#looping) return
    this.#looping = true
    void this.#loop()
  }

  async #loop(): Promise<void> {
    // what is submitted in the same turn as the first image joins its first forward
    await undefined
    while (this.#scheduler.busy || this.#pipeline.oldest || this.#previews.waiting) {
      try {
        const worker = await this.#worker.alive()
        this.#scheduler.admit()
        this.#finish(this.#scheduler.running)
        this.#collect(worker)
        this.#previews.start()
        const { oldest } = this.#pipeline
        const result = await this.#answerOrChange(oldest)
        if (oldest && result) this.#handBack(oldest, result)
      } catch (error) {
        this.#failAll(error)
      }
    }
    this.#looping = false
  }

  /** Asks for forwards until as many are in flight as may be, or no image is left for another. */
  #collect(worker: Worker): void {
    const capacity = { worker, maxEntries: this.#maxEntries }
    const canPlan = (image: RunningImage) => {
      try {
        return weightOfNext(image, capacity) > 0
      } catch (error) {
        image.ticket.fail(error)
        return false
      }
    }
    while (!this.#pipeline.full) {
      const idle = this.#scheduler.running.filter(
        (image) => !image.ticket.ended && !this.#pipeline.has(image) && canPlan(image),
      )
      const share = idle.length > 0 ? fairShare(idle, capacity, this.#pipeline.batches) : 0
      if (share === 0) return
      this.#scheduler.rotate(this.#pipeline.forward(idle, capacity, share))
    }
  }

  /** The forward's result, or undefined where an image came or went before. Images prepare meanwhile. */
  #answerOrChange(forward: Forward | undefined): Promise<ForwardResult | undefined> {
    if (forward === undefined) return Promise.resolve(undefined)
    const change = new Promise<undefined>((resolve) => {
      this.#wake = () => resolve(undefined)
    })
    // Where another forward is in flight behind this one, it hides what is decided then: nothing need be prepared.
    const members = this.#pipeline.full ? [] : forward.batch.members
    const images = members.map(({ image }) => image).filter(({ ticket }) => !ticket.ended)
    return prepareUntil(Promise.race([forward.result, change]), images)
  }

  #handBack(forward: Forward, result: ForwardResult): void {
    this.#pipeline.shift()
    try {
      if ('error' in result) throw result.error
      this.#take(forward, result.answer)
    } catch (error) {
      this.#recover(forward, error)
    }
  }

  #take(forward: Forward, answer: Answer<'forward'>): void {
    const answered = clock()
    const { batch, worker } = forward
    const seconds = this.#pipeline.secondsOf(forward, answer, answered)
    if (handBack(batch, answer, worker, seconds)) this.#worker.progress()
    this.#pipeline.keep(forward, answer)
    this.#tell(this.#pipeline.timingOf(forward, answer, answered))
    const images = batch.members.map(({ image }) => image).filter(({ ticket }) => !ticket.ended)
    for (const { ticket, statistics } of images) ticket.step(statistics)
    this.#finish(images)
  }

  /**
   * A forward came to nothing. Where the worker died, its images go on with the next one; where its memory ran out, with
   * half the entries. Of a forward that was refused, each image is tried alone, and fails where it is refused again.
   * @throws the worker's error, where no worker can be started any more
   */
  #recover({ batch, worker }: Forward, error: unknown): void {
    const images = batch.members.map(({ image }) => image)
    for (const image of images) image.forgetCells()
    const half = Math.floor(batch.weight / 2)
    if (isLost(error)) this.#worker.reportDeath(worker, error)
    else if (isOutOfMemory(error) && half > 1) this.#limitEntries(half)
    else if (images.length > 1) for (const image of images) image.alone = true
    else images[0].ticket.fail(error)
  }

  #limitEntries(maxEntries: number): void {
    if (maxEntries >= this.#maxEntries) return
    this.#maxEntries = maxEntries
    this.#options.onFewerEntries?.(maxEntries)
  }

  #finish(images: readonly RunningImage[]): void {
    for (const image of images) if (image.job.image.done) image.ticket.finish(image.statistics)
  }

  #tell(timing: ForwardTiming): void {
    this.#options.onForward?.(timing)
    for (const run of this.#runs) run.forwarded(timing)
  }

  /** No image can go on. */
  #failAll(error: unknown): void {
    this.#pipeline.clear()
    for (const run of this.#runs) run.stop(error)
    this.#scheduler.failAll(error)
    this.#previews.failAll(error)
  }
}
