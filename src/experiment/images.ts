/** Decodes images by policies and tells what each took. */
import { type DecodingPolicy, type PassRecord, Trajectory } from '../decoding/index.js'
import type { Job, JobStatistics, Picture, Session, TokenizedPrompt } from '../engine/index.js'
import type { Sampling } from '../numerics/index.js'
import type { Changes } from '../policies/index.js'
import type { Fields } from './prompts.js'
import { keyOfPrompt } from './random.js'
import { MOMENT, type Stopping, type WindDown } from './stopping.js'

/** How many a run may have at most. */
export const MOST_IMAGES = 100_000

/** An image to make; these settings and the checkpoint decide it. */
export interface ImageRequest {
  readonly prompt: string
  readonly tokenized: TokenizedPrompt
  /** The policy as it was asked for. */
  readonly spec: string
  readonly policy: DecodingPolicy
  /** What was changed of the policy. */
  readonly parameters: Changes
  readonly sampling: Sampling
  readonly guidance: number
  readonly seed: number
  /** The image's number among those of its prompt under its seed. */
  readonly index: number
  /** What else the prompts' file says of its prompt; it decides nothing. */
  readonly fields?: Fields | undefined
  /** Told of every pass, after it. */
  readonly onPass?: ((record: PassRecord) => void) | undefined
}

export interface FinishedImage {
  readonly request: ImageRequest
  readonly picture: Picture
  /** Ids over the whole layout. */
  readonly tokens: Int32Array
  readonly statistics: JobStatistics
  /** For each pass, how many codes it committed. */
  readonly accepted: readonly number[]
  /** Image tokens for each pass: what sequential decoding needs as passes, against what this image needed. */
  readonly compression: number
}

/** How far a run is, over all of its images. */
export interface RunState {
  readonly done: number
  readonly images: number
  /** Tokens committed so far, and passes taken, over the images begun. */
  readonly tokens: number
  readonly passes: number
  /** Tokens of all images. */
  readonly length: number
  /** Wall time so far. */
  readonly seconds: number
}

export interface RunHooks {
  readonly signal: AbortSignal
  /** Where an interruption lets images be finished that are nearly done; its `now` is the signal. */
  readonly stopping?: Stopping
  readonly onStep?: (state: RunState) => void
  /** When an image failed, by its policy or because the worker refuses it; the others go on. */
  readonly onFailed: (request: ImageRequest, error: unknown) => void
  /** When an image is decoded to a picture; the run goes on meanwhile, and ends if it rejects. */
  readonly onImage: (image: FinishedImage) => Promise<void> | void
}

/**
 * Decodes all images, as many at once as the session has room for. When it ends, however it ends, every `onImage` that
 * was called has ended too.
 * @throws what the engine or `onImage` throws, or the signal's reason.
 */
export async function decodeImages(
  session: Session,
  requests: readonly ImageRequest[],
  { signal, stopping, onStep, onFailed, onImage }: RunHooks,
): Promise<void> {
  const { model } = session
  const begun = new Map<Job, { request: ImageRequest; image: Trajectory; seconds: number }>()
  const track = trackProgress(requests.length, model.layout.length)
  const finishing: Promise<void>[] = []
  let finished = 0
  let kept: ReadonlySet<Job> = new Set()
  const failure = new AbortController()

  function* jobs(): Generator<Job> {
    for (const request of requests) {
      const { policy, sampling, prompt, index, guidance, tokenized, onPass } = request
      const seed = keyOfPrompt(prompt, request.seed)
      const image = new Trajectory({ model, policy, sampling, seed, index, onPass })
      const job = { prompt: tokenized, guidance, image }
      begun.set(job, { request, image, seconds: 0 })
      yield job
    }
  }

  async function decode(): Promise<void> {
    try {
      await session.run(jobs(), {
        signal: AbortSignal.any([signal, failure.signal]),
        ...(stopping && { early: { signal: stopping.soon, keeps: (job) => kept.has(job) } }),
        onStep(job, { passes, seconds }) {
          const one = begun.get(job)!
          one.seconds = seconds
          onStep?.(track(one.image, passes))
        },
        onFailed(job, error) {
          const { request } = begun.get(job)!
          begun.delete(job)
          onFailed(request, error)
        },
        onDone(job, statistics) {
          const { request, image } = begun.get(job)!
          begun.delete(job)
          const whole = finish(session, request, image, statistics)
            .then(onImage)
            .then(() => void finished++)
          whole.catch((error) => failure.abort(error))
          finishing.push(whole)
        },
      })
    } finally {
      await Promise.allSettled(finishing)
    }
    await Promise.all(finishing)
  }

  /** Keeps the images that are done in a moment. One that waits for its first slots has not begun. */
  function windDown(): WindDown {
    const seated = [...begun].filter(([, { seconds }]) => seconds > 0)
    kept = new Set(seated.filter(([, one]) => secondsLeft(one) <= MOMENT).map(([job]) => job))
    return { finishing: kept.size + finishing.length - finished, lost: seated.length - kept.size }
  }

  await (stopping ? stopping.during(decode, windDown) : decode())
}

/** At the pace so far; endless where nothing came yet. */
const secondsLeft = ({ image, seconds }: { image: Trajectory; seconds: number }): number =>
  seconds * (image.length / image.committed - 1)

async function finish(
  session: Session,
  request: ImageRequest,
  image: Trajectory,
  statistics: JobStatistics,
): Promise<FinishedImage> {
  const [picture] = await session.decode([image.tokens])
  const imageTokens = session.model.layout.filter((id) => id < 0).length
  const { tokens, history } = image
  const compression = imageTokens / statistics.passes
  return { request, picture, tokens, statistics, accepted: history, compression }
}

/** Adds up what the images tell of themselves after each of their passes. */
function trackProgress(images: number, length: number): (image: Trajectory, passes: number) => RunState {
  const last = new WeakMap<Trajectory, { tokens: number; passes: number }>()
  const begin = performance.now()
  const total = { done: 0, tokens: 0, passes: 0 }
  return (image, passes) => {
    const before = last.get(image) ?? { tokens: 0, passes: 0 }
    last.set(image, { tokens: image.committed, passes })
    total.tokens += image.committed - before.tokens
    total.passes += passes - before.passes
    if (image.done) total.done += 1
    return { ...total, images, length: images * length, seconds: (performance.now() - begin) / 1000 }
  }
}
