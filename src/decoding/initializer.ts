import { argmax } from '../numerics/index.js'
import { type Draft, NO_CODE } from './draft.js'
import type { ImageState } from './policy.js'

/** What a position holds when it enters the window. */
export interface Initializer {
  readonly name: string
  /** Whether the draft is distributed like its proposal; a one-hot proposal always is. */
  readonly honest: boolean
  /** Whether it starts from a noisy latent. */
  readonly noisy: boolean
  /** @param before the drafts that stand before the position in the window, in order. */
  start(position: number, image: ImageState, before: readonly Draft[]): Draft
}

/** The code that a position holds, committed or drafted, or `NO_CODE`. */
function codeAt(position: number, image: ImageState, before: readonly Draft[]): number {
  if (position < 0 || image.model.layout[position] >= 0) return NO_CODE
  if (position < image.committed) return image.tokens[position] - image.model.image.first
  return before.find((draft) => draft.position === position)?.code ?? NO_CODE
}

/** The committed code nearest to the front, stepping back by `stride` from `position`. */
function committedBehind(position: number, stride: number, image: ImageState): number {
  for (let j = position - stride; j >= 0; j -= stride) {
    const code = codeAt(j, image, [])
    if (code !== NO_CODE) return code
  }
  return NO_CODE
}

/** A code chosen evenly (SJD, arXiv 2410.01699: random initialisation). */
export const random: Initializer = {
  name: 'random',
  honest: true,
  noisy: false,
  start(position, image) {
    const u = image.random.uniform('initial', position, image.passes)
    const code = Math.floor(u * image.model.image.count)
    return { position, code, proposal: { kind: 'uniform' }, noise: null }
  },
}

/** Copies a code from elsewhere; where there is none, the last committed one; at the very start, at random. */
function copying(
  name: string,
  source: (position: number, image: ImageState, before: readonly Draft[]) => number,
): Initializer {
  return {
    name,
    honest: true,
    noisy: false,
    start(position, image, before) {
      let code = source(position, image, before)
      if (code === NO_CODE) code = committedBehind(position, 1, image)
      if (code === NO_CODE) return random.start(position, image, before)
      return { position, code, proposal: { kind: 'one-hot' }, noise: null }
    },
  }
}

/** The last committed code. */
export const repeat = copying('repeat', (position, image) => committedBehind(position, 1, image))

/** What the position to the left holds, committed or draft (`repeat_horizon` of SJD's official code). */
export const left = copying('left', (position, image, before) => codeAt(position - 1, image, before))

/**
 * The likeliest code of what the draft to the left was drawn from (`sample_horizon` of SJD's official code); where that is
 * not known, what stands there.
 */
export const likeliest = copying('likeliest', (position, image, before) => {
  const proposal = before.find((draft) => draft.position === position - 1)?.proposal
  return proposal?.kind === 'dense' ? argmax(proposal.probabilities) : codeAt(position - 1, image, before)
})

/** What the position above holds, committed or draft. */
export const above = copying('above', (position, image, before) =>
  codeAt(position - image.model.rowLength, image, before),
)

/** The nearest committed code in the column above. */
export const vertical = copying('vertical', (position, image) =>
  committedBehind(position, image.model.rowLength, image),
)

/** Pure noise without a draft (SJD2, arXiv 2510.08994), to be denoised in `levels` steps. */
export function gaussian(levels: number): Initializer {
  return {
    name: 'gaussian',
    honest: true,
    noisy: true,
    start(position, image) {
      const latent = image.latent()
      image.random.normals(position, image.passes, latent)
      return { position, code: NO_CODE, proposal: null, noise: { latent, level: levels, timestep: 1 } }
    },
  }
}
