import type { Answer, Worker } from '../bridge/index.js'
import { Room } from '../decoding/lent.js'
import { type Batch, collect, fairShare, handBack } from './batch.js'
import type { Job, JobStatistics } from './job.js'
import type { LastingWorker } from './lasting-worker.js'
import { Lent } from './lent.js'
import { meanwhile } from './meanwhile.js'
import { Seating } from './seating.js'
import { clock, type ForwardTiming } from './timing.js'

export interface RunOptions {
  /** Aborting it ends the run before its next pass, with the signal's reason; the session stays usable. */
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
  /** After each forward: where its time went. */
  readonly onForward?: (timing: ForwardTiming) => void
}

/** How many forwards are asked for at once: one that the worker does, one that waits for it. */
const IN_FLIGHT = 2

/**
 * Decodes images together: collect what they want, forward it, hand back each its rows. While one half of the images is
 * forwarded, the other half's logits are decided upon, so that the device does not wait. Images join as slots become
 * free and leave when they are done; each advances by its own acceptance. Where the worker died, the images go on with
 * the next one from what they hold themselves.
 */
export async function decodeTogether(
  lasting: LastingWorker,
  jobs: Iterable<Job>,
  { signal, early, onStep, onDone, onForward }: RunOptions,
): Promise<void> {
  const { slots, maxEntries } = lasting.hello
  const seating = new Seating(jobs, slots, maxEntries)
  const flights: Flight[] = []
  const lent = new Lent()
  /** For each forward under way, the next one's first. */
  const rooms = Array.from({ length: IN_FLIGHT }, () => new Room())
  /** When the last forward ended. */
  let ended = 0
  for (;;) {
    signal?.throwIfAborted()
    if (early?.signal.aborted) seating.retain(early.keeps)
    else seating.fill()
    const done = seating.dismiss()
    for (const { job, statistics } of done) onDone?.(job, statistics)
    if (done.length > 0) continue
    if (seating.seats.length === 0) return

    const worker = await lasting.alive()
    while (flights.length < IN_FLIGHT) {
      const flight = launch(seating, flights, worker, rooms[0])
      if (flight === undefined) break
      flights.push(flight)
      rooms.push(...rooms.splice(0, 1))
    }
    const { batch, planned, asked, ...flight } = flights.shift()!
    const seats = batch.members.map(({ seat }) => seat)
    // Where another forward is under way behind this one, what is decided then is hidden by that: nothing need be prepared.
    const preparing = flights.length === 0 ? seats.map(({ job }) => job.image) : []
    const answer = await meanwhile(flight.answer, preparing).catch((error) =>
      lasting.lose(flight.worker, error),
    )
    if (answer === undefined) continue
    const answered = clock()
    const waited = Math.max(0, ended - asked)
    ended = answer.head.clock?.ended ?? answered
    if (handBack(batch, answer, flight.worker, answered - asked - waited)) lasting.progress()
    lent.lend(answer, seats)
    onForward?.({
      images: batch.members.length,
      entries: batch.tensors.tokens.data.length,
      planned,
      asked,
      worker: answer.head.clock,
      answered,
      decided: clock(),
    })
    for (const seat of seats) onStep?.(seat.job, seat.statistics)
  }
}

/** A forward that was asked for. */
interface Flight {
  readonly worker: Worker
  readonly batch: Batch
  readonly answer: Promise<Answer<'forward'>>
  readonly planned: number
  readonly asked: number
}

/** Asks for a forward of images that are in none yet; undefined where all are, or had better wait. */
function launch(
  seating: Seating,
  flights: readonly Flight[],
  worker: Worker,
  room: Room,
): Flight | undefined {
  const inFlight = flights.map(({ batch }) => batch)
  const flying = inFlight.flatMap(({ members }) => members.map(({ seat }) => seat))
  const idle = seating.seats.filter((seat) => !flying.includes(seat))
  if (idle.length === 0) return undefined
  const planned = clock()
  const share = fairShare(idle, worker, inFlight)
  if (share === 0) return undefined
  const batch = collect(idle, worker, share, room)
  seating.rotate(batch.members.map(({ seat }) => seat))
  const asked = clock()
  const answer = worker.request(batch.ask, batch.tensors)
  // Where the run ends before its turn comes, nobody is left to hear of an error.
  answer.catch(() => {})
  return { worker, batch, answer, planned, asked }
}
