/**
 * The window that makes pictures soonest on this machine. A wide window saves passes and makes each of them dearer; where
 * the two balance depends on the device, the model and how many pictures are decoded together, so a few passes are tried.
 */
import { performance } from 'node:perf_hooks'
import { type DecodingPolicy, type Model, Trajectory } from '../decoding/index.js'
import type { Job, JobStatistics, Session } from '../engine/index.js'
import type { Sampling } from '../numerics/index.js'
import { choosePolicy, type PolicyChoice } from './policy.js'
import { keyOfPrompt } from './random.js'
import type { StudyImage } from './rows.js'

/** What the window is tried on. */
export interface Trial {
  /** Those that will be decoded together first. */
  readonly images: readonly StudyImage[]
  readonly sampling: Sampling
  readonly guidance: number
  readonly signal: AbortSignal
  /** In seconds; default: the machine's. */
  readonly clock?: () => number
}

/** What a pass of all images takes, in seconds: `none` without drafts, and `draft` more for each that an image has. */
export interface PassCost {
  readonly none: number
  readonly draft: number
}

/** Windows that are tried: far enough apart to tell a draft's cost. */
const TRIED = [16, 64] as const
/**
 * Windows to choose from: near ones take nearly the same time, and measurements vary. Below the narrowest, passes soar:
 * it was nowhere measured to gain, and a measurement that other work disturbs must not lead there.
 */
const WINDOWS = [16, 24, 32, 48, 64, 96, 128, 192]
/** Passes of each, of which the quickest counts: the first find nothing warm, and any may be disturbed. */
const PASSES = 10
/** Seconds of one window's passes after which as many must do as there are, two at least. */
const PATIENCE = 0.25

/**
 * What a draft that nothing disturbs takes to become right, in passes, over the share of codes that surprise: the number
 * of passes is about `codes * (surprises + settling / window)`. Measured over windows of 16 to 96 with `sjd2` on 24 of the
 * bundled scenes: 0.056 and 1.98 fit every one within 4 % at guidance 3, 0.049 and 1.84 at 1.
 */
const SETTLING_OVER_SURPRISES = 36

/** The window that minimises passes times seconds: where `(surprises + settling / w) * (none + draft * w)` is least. */
export function fastestOf({ none, draft }: PassCost): number {
  const best = draft > 0 ? Math.sqrt((SETTLING_OVER_SURPRISES * none) / draft) : Infinity
  return WINDOWS.findLast((window, i) => i === 0 || best >= Math.sqrt(window * WINDOWS[i - 1])) as number
}

/**
 * Whether to measure: where the user says so, or says nothing of the window and it decides nothing of the image, so that
 * seeds mean the same on all machines.
 */
export function wantsFastestWindow(
  { file, overrides, create }: PolicyChoice,
  asked: number | 'fastest' | undefined,
  model: Model,
): boolean {
  if (asked !== undefined) return asked === 'fastest'
  // a finished policy in a file takes no window, and a margin was chosen with the policy's own in mind
  if (file !== null || overrides.window !== undefined || overrides.margin !== undefined) return false
  return create(model).freeWindow === true
}

/**
 * The policy with the window that is fastest for these images, as an override like any other: what is recorded says
 * the number. As it was where an image is so short that nothing can be measured.
 * @throws PolicyError where the policy takes no window; what decoding throws.
 */
export async function withFastestWindow(
  choice: PolicyChoice,
  session: Pick<Session, 'model' | 'run' | 'fit'>,
  trial: Trial,
): Promise<PolicyChoice> {
  const withWindow = (window: number) => choosePolicy(choice.spec, { ...choice.overrides, window })
  const seconds: number[] = []
  for (const window of TRIED) {
    const policy = (await withWindow(window)).create(session.model)
    await session.fit(policy)
    const measured = await secondsOfPass(session, policy, trial)
    if (measured === null) return choice
    seconds.push(measured)
  }
  const draft = (seconds[1] - seconds[0]) / (TRIED[1] - TRIED[0])
  return withWindow(fastestOf({ none: seconds[0] - draft * TRIED[0], draft }))
}

/** Decodes the images a little way; the least time between passes of the first. null: they are done before that is known. */
async function secondsOfPass(
  session: Pick<Session, 'model' | 'run' | 'fit'>,
  policy: DecodingPolicy,
  { images, sampling, guidance, signal, clock = () => performance.now() / 1000 }: Trial,
): Promise<number | null> {
  const { model } = session
  const jobs: Job[] = images.map(({ prompt, tokenized, seed, index }) => ({
    prompt: tokenized,
    guidance,
    image: new Trajectory({ model, policy, sampling, seed: keyOfPrompt(prompt, seed), index }),
  }))
  const enough = new AbortController()
  const begin = clock()
  const times: number[] = []

  function onStep(job: Job, { passes }: JobStatistics): void {
    if (job !== jobs[0] || passes === 0) return
    times.push(clock())
    const patient = times.length < 2 || clock() - begin < PATIENCE
    if (times.length === PASSES || !patient) enough.abort(enough)
  }

  await session.run(jobs, { signal: AbortSignal.any([signal, enough.signal]), onStep }).catch((reason) => {
    if (reason !== enough) throw reason
  })
  const gaps = times.slice(1).map((time, i) => time - times[i])
  return gaps.length === 0 ? null : Math.min(...gaps)
}
