/** Where an image that is made again parts from what was recorded of it, and by how much. */
import {
  type DecodingPolicy,
  type Draft,
  type ImageState,
  type Pass,
  parentOf,
} from '../../decoding/index.js'
import { race } from '../../numerics/index.js'

/** The first position whose token differs from the recorded one. */
export interface Parting {
  readonly position: number
  /** The pass that committed it now, counted from 0. */
  readonly pass: number
  /** Image codes. */
  readonly code: number
  readonly recordedCode: number
  /** What the model now gives the two codes there. */
  readonly probability: number
  readonly recordedProbability: number
  /**
   * By how much the log-odds of the two codes (nats) would have to move towards the recorded one for the policy to draw
   * it: for Gumbel coupling, the gap between their scores. Rounding makes this tiny; a real difference does not. Null
   * where no such change brings it back: the drafts had parted before, or a filter (top-k, top-p) leaves the code out.
   */
  readonly margin: number | null
}

/** The margins that are looked at; float32 probabilities cannot tell smaller changes. */
const SMALLEST = 1e-7
const LARGEST = 50

/**
 * A policy that decides as the given one does, and tells of the first code that is not the recorded one. For one image.
 * @param tokens [length] ids that were recorded.
 */
export function watched(
  policy: DecodingPolicy,
  tokens: readonly number[],
  tell: (parting: Parting) => void,
): DecodingPolicy {
  let parted = false
  return {
    name: policy.name,
    exact: policy.exact,
    noisy: policy.noisy,
    schedule: (image) => policy.schedule(image),
    refine: (pass, image, verdict) => policy.refine(pass, image, verdict),
    verify(pass, image) {
      const verdict = policy.verify(pass, image)
      if (parted) return verdict
      const positions = freePositions(image, verdict.codes.length)
      const { first } = image.model.image
      const at = positions.findIndex((position, i) => tokens[position] !== first + verdict.codes[i])
      if (at < 0) return verdict
      parted = true
      const position = positions[at]
      tell(
        partingAt(policy, pass, image, {
          position,
          before: verdict.codes.slice(0, at),
          code: verdict.codes[at],
          recordedCode: tokens[position] - first,
        }),
      )
      return verdict
    },
  }
}

interface Difference {
  readonly position: number
  /** The codes that the pass committed before it. */
  readonly before: readonly number[]
  readonly code: number
  readonly recordedCode: number
}

function partingAt(policy: DecodingPolicy, pass: Pass, image: ImageState, difference: Difference): Parting {
  const { position, before, code, recordedCode } = difference
  const p = pass.distribution(behind(before, pass))
  const returns = (shift: number) =>
    policy.verify(shifted(pass, difference, shift), image).codes[before.length] === recordedCode
  return {
    position,
    pass: pass.number,
    code,
    recordedCode,
    probability: p[code],
    recordedProbability: p[recordedCode],
    margin: smallest(returns),
  }
}

/** The position behind these codes, as far as they were fed. */
function behind(codes: readonly number[], { drafts, behind }: Pass): Draft {
  let last = -1
  for (const code of codes) {
    const next = drafts.findIndex((draft, i) => parentOf(drafts, i) === last && draft.code === code)
    if (next < 0) break
    last = next
  }
  return behind(last)
}

/** The smallest shift for which it holds, to three digits or so, by bisection on a logarithmic scale. */
function smallest(holds: (shift: number) => boolean): number | null {
  if (!holds(LARGEST)) return null
  let low = SMALLEST
  let high = LARGEST
  if (holds(low)) return low
  while (high / low > 1.001) {
    const middle = Math.sqrt(low * high)
    if (holds(middle)) high = middle
    else low = middle
  }
  return high
}

/** The pass in which the recorded code's log-odds against the present one are higher by `shift`, at that position only. */
function shifted(pass: Pass, { position, code, recordedCode }: Difference, shift: number): Pass {
  const distribution = (draft: Draft) => {
    const p = pass.distribution(draft)
    if (draft.position !== position) return p
    const other = p.slice()
    other[recordedCode] *= Math.exp(shift / 2)
    other[code] *= Math.exp(-shift / 2)
    const total = other.reduce((sum, value) => sum + value, 0)
    return other.map((value) => value / total)
  }
  return {
    ...pass,
    distribution,
    proposal: (draft) => ({ kind: 'dense', probabilities: distribution(draft) }),
    winner: (draft) => race(distribution(draft), pass.exponentials(draft.position)),
  }
}

/** The next free positions behind the committed ones. */
function freePositions({ model: { layout }, committed }: ImageState, count: number): number[] {
  const positions: number[] = []
  for (let j = committed; positions.length < count; j += 1) if (layout[j] < 0) positions.push(j)
  return positions
}
