import { WorkerError } from '../bridge/index.js'
import type { Job } from './job.js'
import { Seat } from './seat.js'

/** Which images hold the worker's slots: one each, two with guidance. The others wait in their order. */
export class Seating {
  readonly #jobs: Iterator<Job>
  readonly #free: number[]
  readonly #maxEntries: number
  #waiting: Job | undefined
  #seats: readonly Seat[] = []

  constructor(jobs: Iterable<Job>, slots: number, maxEntries: number) {
    this.#jobs = jobs[Symbol.iterator]()
    this.#free = Array.from({ length: slots }, (_, slot) => slot)
    this.#maxEntries = maxEntries
    this.#waiting = this.#pull()
  }

  /** Whose turn it is first comes first. */
  get seats(): readonly Seat[] {
    return this.#seats
  }

  /** Seats images while there are slots for the next one. */
  fill(): void {
    while (this.#waiting !== undefined) {
      const need = this.#waiting.guidance === 1 ? 1 : 2
      if (need > this.#free.length) {
        if (this.#seats.length === 0) throw tooFewSlots(need, this.#free.length)
        return
      }
      this.#seats = [...this.#seats, new Seat(this.#waiting, this.#free.splice(0, need), this.#maxEntries)]
      this.#waiting = this.#pull()
    }
  }

  /** Gives up the images that are neither done nor to be kept; those that wait stay where they are. */
  retain(keeps: (job: Job) => boolean): void {
    this.#seats = this.#seats.filter(({ job }) => job.image.done || keeps(job))
  }

  /** Takes the slots of the images that are done; returns their seats. */
  dismiss(): readonly Seat[] {
    const done = this.#seats.filter(({ job }) => job.image.done)
    this.#seats = this.#seats.filter(({ job }) => !job.image.done)
    this.#free.push(...done.flatMap(({ branches }) => branches.map(({ slot }) => slot)))
    return done
  }

  /** Lets those who have their turn stand behind the others. */
  rotate(turns: readonly Seat[]): void {
    this.#seats = [...this.#seats.filter((seat) => !turns.includes(seat)), ...turns]
  }

  #pull(): Job | undefined {
    const { done, value } = this.#jobs.next()
    return done ? undefined : value
  }
}

function tooFewSlots(need: number, slots: number): WorkerError {
  return new WorkerError(
    'too-large',
    `An image takes ${need} key/value slots, and the worker has ${slots}.`,
    'Open the session for more images.',
  )
}
