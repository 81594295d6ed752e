import { WorkerError } from '../bridge/index.js'
import { RunningImage } from './running-image.js'
import type { Ticket } from './submission.js'

/** Images that wait, asked for one by one when there may be slots for them. */
export interface Source {
  /** Undefined where there are no more. */
  next(): Ticket | undefined
}

/**
 * Which images run: each holds one of the worker's slots, or two with guidance. The others wait: first come, first served.
 */
export class Scheduler {
  readonly #free: number[]
  readonly #limit: number
  /** In the order in which they came. */
  readonly #waiting: Source[] = []
  /** Single images that wait. */
  #queued = 0
  /** The image whose turn is next, already asked for. */
  #next: Ticket | undefined
  #running: readonly RunningImage[] = []

  /** @param limit how many single images may wait at most */
  constructor(slots: number, limit = Infinity) {
    this.#free = Array.from({ length: slots }, (_, slot) => slot)
    this.#limit = limit
  }

  /** The images that run; the one that has waited longest for a forward comes first. */
  get running(): readonly RunningImage[] {
    return this.#running
  }

  /** Whether any image runs or waits. */
  get busy(): boolean {
    return this.#running.some(({ ticket }) => !ticket.ended) || this.#peek() !== undefined
  }

  /** @throws WorkerError `queue-full` */
  add(ticket: Ticket): void {
    if (this.#queued >= this.#limit) throw queueFull(this.#limit)
    this.#queued++
    const once = [ticket]
    const next = () => {
      if (once.length > 0) this.#queued--
      return once.pop()
    }
    this.#waiting.push({ next })
  }

  addAll(source: Source): void {
    this.#waiting.push(source)
  }

  /** Takes the slots of the images that have ended, and gives slots to those that wait. */
  admit(): void {
    const ended = this.#running.filter(({ ticket }) => ticket.ended)
    this.#free.push(...ended.flatMap(({ branches }) => branches.map(({ slot }) => slot)))
    for (const image of ended) image.detach()
    this.#running = this.#running.filter(({ ticket }) => !ticket.ended)
    for (let ticket = this.#peek(); ticket !== undefined; ticket = this.#peek()) {
      const need = ticket.job.guidance === 1 ? 1 : 2
      if (need <= this.#free.length) {
        this.#running = [...this.#running, new RunningImage(ticket, this.#free.splice(0, need))]
        this.#next = undefined
      } else if (this.#running.length === 0) ticket.fail(tooFewSlots(need, this.#free.length))
      else return
    }
  }

  /** Lets the images that are forwarded now stand behind the others. */
  rotate(turns: readonly RunningImage[]): void {
    this.#running = [...this.#running.filter((image) => !turns.includes(image)), ...turns]
  }

  /** Ends all images, those that wait too. */
  failAll(error: unknown): void {
    for (const { ticket } of this.#running) ticket.fail(error)
    for (let ticket = this.#peek(); ticket !== undefined; ticket = this.#peek()) ticket.fail(error)
  }

  /** The next image that waits and was not cancelled. */
  #peek(): Ticket | undefined {
    while (this.#next === undefined || this.#next.ended) {
      this.#next = undefined
      if (this.#waiting.length === 0) return undefined
      this.#next = this.#waiting[0].next()
      if (this.#next === undefined) this.#waiting.shift()
    }
    return this.#next
  }
}

function queueFull(limit: number): WorkerError {
  return new WorkerError(
    'queue-full',
    `${limit} images wait already, as many as may.`,
    'Submit the image again when others are done, or open the session with a longer queue.',
  )
}

function tooFewSlots(need: number, slots: number): WorkerError {
  return new WorkerError(
    'too-large',
    `An image takes ${need} key/value slots, and the worker has ${slots}.`,
    'Open the session for more images.',
  )
}
