/** Decodes images over any worker, as the engine does, and says what each forward took. */
import { createHash } from 'node:crypto'
import { startWorker, type Worker } from '../src/bridge/index.js'
import { Trajectory } from '../src/decoding/index.js'
import { Engine } from '../src/engine/engine.js'
import type { ForwardTiming, JobStatistics, TokenizedPrompt } from '../src/engine/index.js'
import { modelOf } from '../src/engine/model.js'
import { assertRead, tokenizeEach } from '../src/engine/prompts.js'
import { SupervisedWorker } from '../src/engine/supervised-worker.js'
import { choosePolicy } from '../src/experiment/policy.js'
import { python } from './null-worker.js'
import { numericsClock, timedNumerics } from './numerics-clock.js'

export const quantile = (numbers: readonly number[], share: number) =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length * share)]

export const median = (numbers: readonly number[]) => quantile(numbers, 0.5)

export interface Forward extends ForwardTiming {
  /** Seconds, since the start, of numerics, and of this process's processor. */
  readonly numerics: number
  readonly processor: number
}

export interface Decoding {
  readonly start: () => Promise<Worker>
  /** As on the command line. */
  readonly policy: string
  readonly images: number
  readonly guidance: number
  /** Default: prompts in ids of the null worker's, which has no tokenizer. */
  readonly prompts?: readonly string[]
  /** After so many forwards it is enough; default: all of every image. */
  readonly forwards?: number
  readonly onDone?: (done: number, worker: Worker) => void
}

/** @returns each forward; each image's statistics, where all were decoded; a digest of all tokens. */
export async function decode(decoding: Decoding) {
  const { start, policy: spec, images, guidance, forwards = Infinity, onDone } = decoding
  const signal = new AbortController().signal
  const worker = await SupervisedWorker.start({ start, signal, onEvent() {} })
  try {
    const { model: card } = worker.hello
    const model = modelOf(card, await worker.request({ op: 'embeddings' }))
    const policy = timedNumerics((await choosePolicy(spec)).create(model))
    const prompts = await promptsOf(worker, decoding)
    const made: Trajectory[] = []
    function* jobs() {
      for (let index = 0; index < images; index += 1) {
        const image = new Trajectory({ model, policy, sampling: card.sampling, seed: 1, index })
        if (forwards < Infinity) made.push(image)
        yield { prompt: prompts[index % prompts.length], guidance, image }
      }
    }
    const timings: Forward[] = []
    const statistics: JobStatistics[] = []
    const enough = new AbortController()
    const living = await worker.alive()
    await new Engine(worker)
      .run(jobs(), {
        signal: enough.signal,
        onDone(_, one) {
          statistics.push(one)
          onDone?.(statistics.length, living)
        },
        onForward(timing) {
          const { user, system } = process.cpuUsage()
          timings.push({ ...timing, numerics: numericsClock(), processor: (user + system) / 1e6 })
          if (timings.length === forwards) enough.abort('enough')
        },
      })
      .catch((reason) => {
        if (reason !== 'enough') throw reason
      })
    const tokens = createHash('sha256')
    for (const image of made) tokens.update(image.tokens)
    return { timings, statistics, tokens: tokens.digest('hex').slice(0, 12), committed: made[0]?.committed }
  } finally {
    await worker.closed()
  }
}

async function promptsOf(worker: SupervisedWorker, { prompts }: Decoding): Promise<TokenizedPrompt[]> {
  if (prompts === undefined) return [{ conditional: [1, 2, 3], unconditional: [1], unknown: [] }]
  return assertRead(await tokenizeEach((ask) => worker.request(ask), prompts))
}

/** The bundled checkpoint on this CPU. */
export const startScenes = (images: number) => () =>
  startWorker({ checkpoint: 'checkpoints/scenes', python, device: 'cpu', dtype: 'f32', slots: 2 * images })
