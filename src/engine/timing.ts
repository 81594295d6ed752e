import type { ForwardReply } from '../bridge/index.js'

/** When the stages of one forward began: seconds on the clock that the processes of a machine share. */
export interface ForwardTiming {
  readonly images: number
  readonly entries: number
  /** The images' plans are asked for. */
  readonly planned: number
  /** The request is sent. */
  readonly asked: number
  /** By the worker: the request was there, the model began, the model ended. Absent where it does not say. */
  readonly worker: ForwardReply['clock'] | undefined
  /** The reply is there. */
  readonly answered: number
  /** The images took their logits. */
  readonly decided: number
}

/** Seconds on CLOCK_MONOTONIC (what `time.monotonic()` reads in Python), or what the system has like it. */
export function clock(): number {
  return Number(process.hrtime.bigint()) / 1e9
}
