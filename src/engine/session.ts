import {
  type ConnectOptions,
  connectWorker,
  type HelloReply,
  type ModelCard,
  type ProcessOptions,
  type StatsReply,
  startWorker,
} from '../bridge/index.js'
import { type LoadingOptions, loadingOf } from '../common/model-options.js'
import type { DecodingPolicy, Model } from '../decoding/index.js'
import { Engine } from './engine.js'
import type { Job, TokenizedPrompt } from './job.js'
import { codebookOf, modelOf } from './model.js'
import { decodePictures, type Picture } from './pictures.js'
import { assertRead, longestOf, type RefusedPrompt, tokenizeEach } from './prompts.js'
import type { RunOptions } from './run.js'
import type { Submission } from './submission.js'
import { SupervisedWorker, type WorkerEvent } from './supervised-worker.js'

export interface OpenOptions extends LoadingOptions {
  /** A worker that runs already, to be used instead of starting one; what it runs is as it was started. */
  readonly connect?: Pick<ConnectOptions, 'to' | 'key'>
  /** Folder of the checkpoint, or a hub's id (`org/name`). */
  readonly checkpoint: string
  /** A Python file with `load`, for a family of one's own. */
  readonly adapter?: ProcessOptions['adapter']
  /** The Python interpreter: a path, or a name on the PATH. */
  readonly python: string
  /** Default: `auto`, CUDA where there is one. */
  readonly device?: ProcessOptions['device']
  /** Default: `auto`, f32 on a CPU. */
  readonly dtype?: ProcessOptions['dtype']
  /** How many images at most are decoded together; default 16. Each reserves two slots, for guidance. */
  readonly images?: number
  /** How many submitted images may wait for slots; default: any number. */
  readonly queue?: number
  /** Seconds after which a worker that has not answered a request counts as dead, and is started again; default 600. */
  readonly requestTimeout?: number
  /** Aborting it kills the worker: what is in progress rejects with the signal's reason. */
  readonly signal?: AbortSignal
  readonly onEvent?: (event: WorkerEvent) => void
  /** After each forward of any run: where its time went. */
  readonly onForward?: RunOptions['onForward']
}

export interface Session {
  readonly hello: HelloReply
  readonly card: ModelCard
  readonly model: Model
  /** Fetches what the policy needs of the model beyond what all do: its codebook. To be called before it decodes. */
  fit(policy: DecodingPolicy): Promise<void>
  /**
   * Prompts in the model's ids; slots get room for them.
   * @throws WorkerError `bad-prompt` where the model cannot be given one, `out-of-memory` where there is no such room.
   */
  tokenize(prompts: readonly string[]): Promise<TokenizedPrompt[]>
  /** The same for many prompts, a bounded number at a time; those that the model cannot be given are told from the others. */
  tokenizeEach(
    prompts: readonly string[],
    onProgress?: (done: number) => void,
  ): Promise<(TokenizedPrompt | RefusedPrompt)[]>
  /**
   * Makes slots larger where prompts are longer than they have room for (`hello.promptCells`). Nothing in them is lost.
   * @param tokens of the longest prompt, at most `hello.longestPrompt`.
   * @throws WorkerError `too-large`, or `out-of-memory`
   */
  reserve(tokens: number): Promise<void>
  /**
   * Gives the engine an image, at any time; it joins the others at the next pass.
   * @throws WorkerError `queue-full`
   */
  submit(job: Job): Submission
  /** Submits all jobs and waits for all: as many together as there are slots, the rest join as others leave. */
  run(jobs: Iterable<Job>, options?: RunOptions): Promise<void>
  /** Pictures of finished images, from each one's ids over the whole layout. May be asked while a run goes on. */
  decode(images: readonly Int32Array[]): Promise<Picture[]>
  stats(): Promise<StatsReply>
  /** Ends the worker and waits until it is gone; what is in progress rejects. */
  close(): Promise<void>
}

/**
 * Starts a worker on a checkpoint, or connects to one, and asks it for all that decoding must know. A worker that dies
 * later is started again, a few times in a row at most; a connection that is lost is made again.
 * @throws WorkerError when Python, its packages, the checkpoint or the worker are not as they must be
 */
export async function openSession(options: OpenOptions): Promise<Session> {
  const { device = 'auto', dtype = 'auto', images = 16, onEvent = () => {} } = options
  const { requestTimeout = 600 } = options
  const { checkpoint, adapter, python, connect } = options
  const closing = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, closing.signal]) : closing.signal
  const slots = 2 * images
  // `reserve` makes it more; a worker that takes the place of a lost one needs as much room as that had
  const room = { promptCells: options.promptCells }
  const start = () => {
    if (connect === undefined) {
      const loading = { checkpoint, adapter, ...loadingOf(options), python, device, dtype }
      return startWorker({ ...loading, ...room, slots, signal, requestTimeout })
    }
    return connectWorker({
      ...connect,
      ...room,
      slots,
      signal,
      requestTimeout,
      onBusy: (error) => onEvent({ kind: 'worker-busy', error }),
    })
  }
  const worker = await SupervisedWorker.start({ start, signal, onEvent })
  room.promptCells ??= worker.hello.promptCells

  async function close() {
    closing.abort(new Error('The session is closed.'))
    await worker.closed()
  }

  try {
    const model = modelOf(worker.hello.model, await worker.request({ op: 'embeddings' }))
    return sessionOf(worker, model, options, room, close)
  } catch (error) {
    await close()
    throw error
  }
}

function sessionOf(
  worker: SupervisedWorker,
  model: Model,
  { images = 16, queue, onForward, onEvent }: OpenOptions,
  room: { promptCells?: number | undefined },
  close: () => Promise<void>,
): Session {
  const engine = new Engine(worker, {
    queue,
    onForward,
    onFewerEntries: (maxEntries) => onEvent?.({ kind: 'fewer-entries', maxEntries }),
  })
  const read: Session['tokenizeEach'] = (prompts, onProgress) =>
    tokenizeEach((ask) => worker.request(ask), prompts, onProgress)

  async function reserve(tokens: number): Promise<void> {
    if (tokens <= (room.promptCells as number)) return
    const { head } = await worker.request({ op: 'reserve', promptCells: tokens })
    room.promptCells = head.promptCells
  }

  return {
    hello: worker.hello,
    card: worker.hello.model,
    model,

    async fit({ codebook = false }) {
      if (!codebook || model.codebook !== undefined) return
      const answer = await worker.request({ op: 'embeddings', of: 'codebook' })
      model.codebook = codebookOf(worker.hello.model, answer)
    },

    async tokenize(prompts) {
      const tokenized = assertRead(await read(prompts))
      await reserve(longestOf(tokenized))
      return tokenized
    },

    tokenizeEach: read,

    reserve,

    submit: (job) => engine.submit(job),

    run: (jobs, options) => engine.run(jobs, options),

    decode: (tokens) => decodePictures(worker, tokens, images),

    async stats() {
      const { head } = await worker.request({ op: 'stats' })
      return head
    },

    close,
  }
}
