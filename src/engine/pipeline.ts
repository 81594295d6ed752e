import type { Answer, Worker } from '../bridge/index.js'
import { Scratch } from '../common/scratch.js'
import { type Batch, type Capacity, collect } from './batch.js'
import { ReplyBuffers } from './reply-buffers.js'
import type { RunningImage } from './running-image.js'
import { clock, type ForwardTiming } from './timing.js'

/** How many forwards are asked for at once: one that the worker does, one that waits for it. */
const IN_FLIGHT = 2

/** A forward that was asked for. */
export interface Forward {
  readonly worker: Worker
  readonly batch: Batch
  /** Never rejects. */
  readonly result: Promise<ForwardResult>
  readonly planned: number
  readonly asked: number
}

export type ForwardResult = { readonly answer: Answer<'forward'> } | { readonly error: unknown }

/** The forwards in flight, in the order in which they are answered; their memory and their clock. */
export class Pipeline {
  readonly #forwards: Forward[] = []
  /** For each forward in flight; the next one's comes first. */
  readonly #scratches = Array.from({ length: IN_FLIGHT }, () => new Scratch())
  readonly #replies = new ReplyBuffers()
  /** When the worker ended the last forward that was answered. */
  #lastEnded = 0

  get full(): boolean {
    return this.#forwards.length === IN_FLIGHT
  }

  get batches(): readonly Batch[] {
    return this.#forwards.map(({ batch }) => batch)
  }

  get oldest(): Forward | undefined {
    return this.#forwards[0]
  }

  has(image: RunningImage): boolean {
    return this.#forwards.some(({ batch }) => batch.members.some((member) => member.image === image))
  }

  /** Asks for a forward of the first of these images, of `wanted` entries or a few more; returns those that are in it. */
  forward(images: readonly RunningImage[], capacity: Capacity, wanted: number): RunningImage[] {
    const { worker } = capacity
    const planned = clock()
    const batch = collect(images, capacity, wanted, this.#scratches[0])
    this.#scratches.push(...this.#scratches.splice(0, 1))
    const asked = clock()
    const result = worker.request(batch.ask, batch.tensors).then(
      (answer) => ({ answer }),
      (error: unknown) => ({ error }),
    )
    this.#forwards.push({ worker, batch, result, planned, asked })
    return batch.members.map(({ image }) => image)
  }

  /** The oldest forward is settled. */
  shift(): void {
    this.#forwards.shift()
  }

  /** Seconds that the answer took since it was asked for, without the wait for the forward before it. */
  secondsOf({ asked }: Forward, answer: Answer<'forward'>, answered: number): number {
    const waited = Math.max(0, this.#lastEnded - asked)
    this.#lastEnded = answer.head.clock?.ended ?? answered
    return answered - asked - waited
  }

  /** The images have taken their rows: keeps the reply while they may read it. */
  keep({ batch }: Forward, answer: Answer<'forward'>): void {
    this.#replies.hold(
      answer,
      batch.members.map(({ image }) => image),
    )
  }

  timingOf({ batch, planned, asked }: Forward, answer: Answer<'forward'>, answered: number): ForwardTiming {
    return {
      images: batch.members.length,
      entries: batch.tensors.tokens.data.length,
      planned,
      asked,
      worker: answer.head.clock,
      answered,
      decided: clock(),
    }
  }

  /** Forgets all that is in flight. */
  clear(): void {
    this.#forwards.length = 0
  }
}
