import { collect, handBack } from './batch.js'
import type { Job, JobStatistics } from './job.js'
import type { LastingWorker } from './lasting-worker.js'
import { Seating } from './seating.js'
import { clock, type ForwardTiming } from './timing.js'

export interface RunOptions {
  /** Aborting it ends the run before its next pass, with the signal's reason; the session stays usable. */
  readonly signal?: AbortSignal
  /** After each forward, for each image that was in it. */
  readonly onStep?: (job: Job, statistics: JobStatistics) => void
  /** When an image is done. */
  readonly onDone?: (job: Job, statistics: JobStatistics) => void
  /** After each forward: where its time went. */
  readonly onForward?: (timing: ForwardTiming) => void
}

/**
 * Decodes images together: collect what they want, forward it, hand back each its rows. Images join as slots become
 * free and leave when they are done; each advances by its own acceptance. Where the worker died, the images go on with
 * the next one from what they hold themselves.
 */
export async function decodeTogether(
  lasting: LastingWorker,
  jobs: Iterable<Job>,
  { signal, onStep, onDone, onForward }: RunOptions,
): Promise<void> {
  const { slots, maxEntries } = lasting.hello
  const seating = new Seating(jobs, slots, maxEntries)
  for (;;) {
    signal?.throwIfAborted()
    seating.fill()
    const done = seating.dismiss()
    for (const { job, statistics } of done) onDone?.(job, statistics)
    if (done.length > 0) continue
    if (seating.seats.length === 0) return

    const worker = await lasting.alive()
    const planned = clock()
    const batch = collect(seating.seats, worker)
    const asked = clock()
    const answer = await worker
      .request(batch.ask, batch.tensors)
      .catch((error) => lasting.lose(worker, error))
    if (answer === undefined) continue
    const answered = clock()
    if (handBack(batch, answer, worker, answered - asked)) lasting.progress()
    onForward?.({
      images: batch.members.length,
      entries: batch.tensors.tokens.data.length,
      planned,
      asked,
      worker: answer.head.clock,
      answered,
      decided: clock(),
    })
    for (const { seat } of batch.members) onStep?.(seat.job, seat.statistics)
    seating.rotate(batch.members.length)
  }
}
