/** The longest that an image may still take, in seconds, to be finished after an interruption: a user waits that long. */
export const MOMENT = 4
/** When all ends though something is not finished: an estimate may be wrong. In seconds. */
const LIMIT = 10

/** What an interruption leaves of the images in the making. */
export interface WindDown {
  /** Pictures that will be finished. */
  readonly finishing: number
  /** Pictures that are given up. */
  readonly lost: number
}

/**
 * An interruption in two stages: at the first word nothing new begins, and what is nearly done is finished; then all ends.
 * Where nothing is at work that could be finished, it ends at once.
 */
export class Stopping {
  /** Aborts at the first word. */
  readonly soon: AbortSignal
  /** Aborts when nothing may go on any more; with the same reason. */
  readonly now: AbortSignal
  readonly #end = new AbortController()
  readonly #onWindDown: (left: WindDown) => void
  #windDown: (() => WindDown) | undefined

  /** @param onWindDown told what an interruption leaves of the images in the making. */
  constructor(soon: AbortSignal, onWindDown: (left: WindDown) => void) {
    this.soon = soon
    this.now = this.#end.signal
    this.#onWindDown = onWindDown
    if (soon.aborted) this.#stop()
    else soon.addEventListener('abort', () => this.#stop(), { once: true })
  }

  /**
   * Does what can be finished early.
   * @param windDown called at an interruption meanwhile: gives up what takes long, and says what is left.
   * @throws the interruption's reason, once what was nearly done is finished; whatever `work` throws.
   */
  async during(work: () => Promise<void>, windDown: () => WindDown): Promise<void> {
    this.soon.throwIfAborted()
    this.#windDown = windDown
    try {
      await work()
    } finally {
      this.#windDown = undefined
    }
    this.soon.throwIfAborted()
  }

  #stop(): void {
    const left = this.#windDown?.()
    if (left !== undefined) this.#onWindDown(left)
    const end = () => this.#end.abort(this.soon.reason)
    if (left !== undefined && left.finishing > 0) setTimeout(end, 1000 * LIMIT).unref()
    else end()
  }
}
