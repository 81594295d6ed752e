import {
  type Answer,
  type Ask,
  type HelloReply,
  isLost,
  type Op,
  type Tensors,
  type Worker,
  WorkerError,
} from '../bridge/index.js'

/** How many restarts in a row may come to nothing. */
const maxRestarts = 3

/** What happens to the worker while a session lasts. */
export type WorkerEvent =
  | { readonly kind: 'worker-ready'; readonly pid: number | undefined; readonly hello: HelloReply }
  /** Other runs hold the slots of the worker that this one was to share: it is waited for them. */
  | { readonly kind: 'worker-busy'; readonly error: WorkerError }
  | { readonly kind: 'worker-lost'; readonly error: WorkerError }
  /** The device's memory ran out: from now on a forward takes so many entries at most. */
  | { readonly kind: 'fewer-entries'; readonly maxEntries: number }

export interface SupervisorOptions {
  readonly start: () => Promise<Worker>
  /** Once aborted, no worker is started again. */
  readonly signal: AbortSignal
  readonly onEvent: (event: WorkerEvent) => void
}

/** A worker that is started again when it dies. Its cells die with it; all else is the same afterwards. */
export class SupervisedWorker {
  readonly hello: HelloReply
  readonly #options: SupervisorOptions
  /** The worker that lives, as far as known, or the start of the next; undefined until somebody needs it. */
  #current: Promise<Worker> | undefined
  /** The worker that was started last, until its death is known. */
  #latest: Worker | undefined
  /** Deaths since something last came of a worker. */
  #deaths = 0

  private constructor(first: Worker, options: SupervisorOptions) {
    this.hello = first.hello
    this.#options = options
    this.#latest = first
    this.#current = Promise.resolve(first)
  }

  /** Starts the first worker; one that dies before it says hello is not started again. */
  static async start(options: SupervisorOptions): Promise<SupervisedWorker> {
    const first = await options.start()
    options.onEvent({ kind: 'worker-ready', pid: first.pid, hello: first.hello })
    return new SupervisedWorker(first, options)
  }

  /**
   * The worker that lives; another one than before where that died.
   * @throws WorkerError when no worker can be started any more, or the signal's reason
   */
  async alive(): Promise<Worker> {
    this.#options.signal.throwIfAborted()
    this.#current ??= this.#restart()
    return this.#current
  }

  /**
   * To be told when a request to a worker failed: notes that it is dead, so that `alive` starts another.
   * @throws the error, where it is not the worker's death; WorkerError `worker-lost` where too many died in a row
   */
  reportDeath(worker: Worker, error: unknown): undefined {
    if (!isLost(error)) throw error
    if (worker !== this.#latest) return
    this.#latest = undefined
    this.#current = undefined
    // One that hangs does not end by itself.
    void worker.close()
    this.#countDeath(error)
  }

  /** To be told when something came of a worker. */
  progress(): void {
    this.#deaths = 0
  }

  /** Asks what needs no cells: again, where the worker dies over it. */
  async request<O extends Op>(ask: Ask<O>, tensors?: Tensors): Promise<Answer<O>> {
    for (;;) {
      const worker = await this.alive()
      const answer = await worker.request(ask, tensors).catch((error) => this.reportDeath(worker, error))
      if (answer === undefined) continue
      this.progress()
      return answer
    }
  }

  /** Waits until no worker is there any more, once the signal is aborted. */
  async closed(): Promise<void> {
    await this.#current?.then((worker) => worker.close()).catch(() => {})
  }

  async #restart(): Promise<Worker> {
    try {
      for (;;) {
        const worker = await this.#options.start().catch((error) => this.#countDeath(error))
        if (worker === undefined) continue
        await this.#checkSame(worker)
        this.#latest = worker
        this.#options.onEvent({ kind: 'worker-ready', pid: worker.pid, hello: worker.hello })
        return worker
      }
    } catch (error) {
      this.#current = undefined
      throw error
    }
  }

  #countDeath(error: unknown): undefined {
    this.#options.signal.throwIfAborted()
    if (!isLost(error)) throw error
    this.#options.onEvent({ kind: 'worker-lost', error })
    this.#deaths++
    if (this.#deaths <= maxRestarts) return
    const deaths = this.#deaths
    this.#deaths = 0
    throw new WorkerError(
      'worker-lost',
      `The worker died ${deaths} times in a row before anything came of it. The last time: ${error.message}`,
      error.remedy,
      { cause: error },
    )
  }

  /**
   * The images in progress go on only as they began: another checkpoint, dtype, device or torch would make other images.
   * @throws WorkerError `wrong-config`
   */
  async #checkSame(worker: Worker): Promise<void> {
    const different = differences(this.hello, worker.hello)
    if (different.length === 0) return
    await worker.close()
    throw new WorkerError(
      'wrong-config',
      `The worker died, and the one that is there now is another: ${different.join(', ')}.`,
      'Start the worker as it was, with the checkpoint as it was, and give the same command again.',
    )
  }
}

function differences(before: HelloReply, now: HelloReply): string[] {
  const decisive = (hello: HelloReply) => ({
    checkpoint: hello.model.hash,
    dtype: hello.dtype,
    device: hello.device,
    torch: hello.torch,
  })
  const was = Object.entries(decisive(before))
  const is: Record<string, string> = decisive(now)
  const changed = was.filter(([name, value]) => is[name] !== value)
  const fewer = now.slots < before.slots ? [`${now.slots} slots instead of ${before.slots}`] : []
  return [...changed.map(([name, value]) => `${name} ${is[name]} instead of ${value}`), ...fewer]
}
