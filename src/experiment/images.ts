/** Decodes images by policies and tells what each took. */
import { type DecodingPolicy, Trajectory } from '../decoding/index.js'
import type { Job, JobStatistics, Picture, Session, TokenizedPrompt } from '../engine/index.js'
import type { Sampling } from '../numerics/index.js'
import type { PolicyOverrides } from '../policies/index.js'

/** An image to make; these settings and the checkpoint decide it. */
export interface ImageRequest {
  readonly prompt: string
  readonly tokenized: TokenizedPrompt
  readonly policy: DecodingPolicy
  /** What was changed of the policy. */
  readonly parameters: PolicyOverrides
  readonly sampling: Sampling
  readonly guidance: number
  readonly seed: number
  /** The image's number under its seed. */
  readonly index: number
}

export interface FinishedImage {
  readonly request: ImageRequest
  readonly picture: Picture
  /** Ids over the whole layout. */
  readonly tokens: Int32Array
  readonly statistics: JobStatistics
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
  readonly onStep?: (state: RunState) => void
  /** When an image is decoded to a picture; the run goes on meanwhile, and ends if it rejects. */
  readonly onImage: (image: FinishedImage) => Promise<void> | void
}

/**
 * Decodes all images, as many at once as the session has room for.
 * @throws what the engine or `onImage` throws, or the signal's reason.
 */
export async function decodeImages(
  session: Session,
  requests: readonly ImageRequest[],
  { signal, onStep, onImage }: RunHooks,
): Promise<void> {
  const { model } = session
  const length = model.layout.length
  const imageTokens = model.layout.filter((id) => id < 0).length
  const begun = new Map<Job, { request: ImageRequest; image: Trajectory; passes: number }>()
  const finishing: Promise<void>[] = []
  const failure = new AbortController()
  let done = 0
  let donePasses = 0
  const begin = performance.now()

  function* jobs(): Generator<Job> {
    for (const request of requests) {
      const { policy, sampling, seed, index, guidance, tokenized } = request
      const image = new Trajectory({ model, policy, sampling, seed, index })
      const job = { prompt: tokenized, guidance, image }
      begun.set(job, { request, image, passes: 0 })
      yield job
    }
  }

  function state(): RunState {
    let tokens = done * length
    let passes = donePasses
    const seconds = (performance.now() - begin) / 1000
    for (const entry of begun.values()) {
      tokens += entry.image.committed
      passes += entry.passes
    }
    return { done, images: requests.length, tokens, passes, length: requests.length * length, seconds }
  }

  async function finish(
    { request, image }: { request: ImageRequest; image: Trajectory },
    statistics: JobStatistics,
  ) {
    const tokens = image.tokens.slice()
    const [picture] = await session.decode([tokens])
    await onImage({
      request,
      picture,
      tokens,
      statistics,
      compression: imageTokens / statistics.passes,
    })
  }

  await session.run(jobs(), {
    signal: AbortSignal.any([signal, failure.signal]),
    onStep(job, statistics) {
      begun.get(job)!.passes = statistics.passes
      onStep?.(state())
    },
    onDone(job, statistics) {
      const entry = begun.get(job)!
      begun.delete(job)
      done += 1
      donePasses += statistics.passes
      const finished = finish(entry, statistics)
      finished.catch((error) => failure.abort(error))
      finishing.push(finished)
    },
  })
  await Promise.all(finishing)
}
