import { type Draft, NO_CODE, parentOf } from './draft.js'
import type { Model } from './model.js'
import { type FedDrafts, freeFrom } from './plan.js'
import type { Verdict } from './policy.js'

/** One pass of an image, as a progress line, a viewer or a test wants it. */
export interface PassRecord {
  /** Number of the pass, from 0. */
  readonly pass: number
  /** Positions that were final before and after it, forced ones included. */
  readonly committedBefore: number
  readonly committed: number
  /** How many drafts it accepted. */
  readonly accepted: number
  /** Entries it fed. */
  readonly entries: number
  /** First position behind the committed ones, to which the first of `drafts` and `levels` belong. */
  readonly windowStart: number
  /** [window] ids that the positions held: drafts (of a tree, its first at each), forced tokens, -1 where there was none. */
  readonly drafts: Int32Array
  /** [window] levels of noise they were fed with, 0: clean. */
  readonly levels: Uint8Array
}

/** What a pass began with: codes that were fed before and kept `ahead` of the committed ones, and how many entries it fed. */
export type Begun = Pick<FedDrafts, 'model' | 'committed' | 'drafts'> & {
  readonly ahead: ReadonlyMap<number, number>
  readonly entries: number
}

/** What is told of a pass: `committed` is what is final after it. */
export function recordOf(pass: number, begun: Begun, verdict: Verdict, committed: number): PassRecord {
  const { model, drafts, ahead, entries, committed: start } = begun
  const { layout, image } = model
  const places = [...ahead.keys(), ...drafts.map(({ position }) => position)]
  const end = Math.max(start, ...places.map((position) => freeFrom(model, position + 1)))
  const held = Int32Array.from(layout.subarray(start, end))
  const levels = new Uint8Array(held.length)
  for (const { position, code, noise, role } of drafts.toReversed()) {
    if (role === 'stand-in' && code === NO_CODE) continue // a forced token
    held[position - start] = code === NO_CODE ? -1 : image.first + code
    levels[position - start] = noise?.level ?? 0
  }
  for (const [position, code] of ahead) held[position - start] = image.first + code
  return {
    pass,
    committedBefore: start,
    committed,
    accepted: acceptedOf(drafts, verdict, start, model),
    entries,
    windowStart: start,
    drafts: held,
    levels,
  }
}

/** How many drafts, from the front, are what was committed. */
function acceptedOf(drafts: readonly Draft[], { codes }: Verdict, front: number, model: Model): number {
  let [node, position] = [-1, front]
  for (const [depth, code] of codes.entries()) {
    node = drafts.findIndex(
      (draft, i) =>
        parentOf(drafts, i) === node &&
        draft.position === position &&
        draft.code === code &&
        draft.role !== 'stand-in',
    )
    if (node < 0) return depth
    position = freeFrom(model, position + 1)
  }
  return codes.length
}
