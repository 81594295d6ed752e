import { type Branching, SPARE_CELLS } from './branches.js'
import { childrenOf, cutBehind, type Draft, NO_CODE, type Noise, parentOf } from './draft.js'
import { type Draw, gumbel } from './draw.js'
import type { Initializer } from './initializer.js'
import type { Denoising } from './levels.js'
import type { Model } from './model.js'
import { denoise, noiseSchedules } from './noise-schedule.js'
import { freeFrom } from './plan.js'
import { type DecodingPolicy, type ImageState, type Pass, PolicyError } from './policy.js'
import { type PrefixRule, verifyPrefix } from './prefix.js'

/**
 * What a window may follow. Drafts' codes are not among it: a window that looks at them chooses among them, and exactness
 * is lost.
 */
export type ImagePast = Pick<ImageState, 'model' | 'committed' | 'passes' | 'history'>

/** The pieces of a policy whose pass is one chain of drafts behind the committed tokens. */
export interface ChainPieces {
  readonly name: string
  /** How many drafts a pass carries, 0: sequential decoding; or a function of the image's past. */
  readonly window: number | ((past: ImagePast) => number)
  /** What enters the window, but for the first position that does, which the pass's last row drafts. */
  readonly initialize: Initializer
  /** How a draft is accepted or corrected. */
  readonly verify: Draw
  /** How far the accepted prefix may reach. */
  readonly prefix: PrefixRule
  /** How the drafts behind the first rejection are drawn anew. */
  readonly refine: Draw
  /** How noisy entries become clean; null or absent where nothing is noisy. */
  readonly denoise?: Denoising | null
  /** What stands beside the chain for when it is wrong; null or absent: nothing. */
  readonly branches?: Branching | null
}

/**
 * Composes a policy (algorithm: SJD, arXiv 2410.01699, alg. 1; with noise: SJD2, arXiv 2510.08994). It is
 * exact iff its pieces make it so.
 *
 * @throws PolicyError where pieces do not fit each other.
 */
export function chain(pieces: ChainPieces): DecodingPolicy {
  checkPieces(pieces)
  const { initialize, verify, refine, prefix, window, branches, denoise: denoising = null } = pieces
  const honest = initialize.honest && refine.follows !== 'neither'
  const exact =
    verify.follows === 'model' && (honest || !verify.trusting) && (prefix.exact || !initialize.noisy)
  return {
    name: pieces.name,
    noisy: initialize.noisy,
    exact,
    codebook: [verify, refine].some(({ codebook }) => codebook === true),
    freeWindow: exact && verify === gumbel && typeof window === 'number' && window > 0 && !branches,

    schedule(image) {
      const upcoming = image.upcoming(typeof window === 'number' ? window : window(pastOf(image)))
      const end = upcoming.at(-1) ?? -1
      const held = cutBehind(image.drafts, end)
      const drafts = branches ? withinRoom(held, end, image.model) : held
      let last = drafts.findLastIndex(({ parent }) => parent === undefined)
      const reached = drafts[last]?.position ?? -1
      for (const position of upcoming) {
        if (position <= reached) continue
        drafts.push({ ...entering(position, image, drafts), parent: last })
        last = drafts.length - 1
      }
      return drafts
    },

    verify: (pass) => verifyPrefix(pass, verify, prefix),

    refine(pass, image, { held }) {
      const places = trunkBehind(held.at(-1) ?? -1, pass.drafts, image.committed)
      const trunk: Draft[] = places.map((place, distance) => {
        const draft = pass.drafts[place]
        const { code, proposal } = refine.draw(draft, pass)
        const noise =
          draft.noise && denoising ? denoised(draft.noise, code, distance, denoising, image.model) : null
        return { position: draft.position, code, proposal, noise }
      })
      const next = entersNext(places, pass, image.committed)
      // where it would still be noisy after its first step, it enters as the initialiser has it
      if (next !== null && (denoising === null || denoising.next(denoising.levels, trunk.length) <= 0)) {
        const { code, proposal } = refine.draw(next, pass)
        if (code !== NO_CODE) trunk.push({ position: next.position, code, proposal, noise: null })
      }
      return branches ? branches.grow(trunk, pass, staleBefore(places, trunk, pass, image)) : trunk
    },
  }

  function entering(position: number, image: ImageState, before: readonly Draft[]): Draft {
    const draft = initialize.start(position, image, before)
    if (draft.noise === null || initialize.noisy) return draft
    throw new PolicyError(
      `${pieces.name} was given noise by ${initialize.name}, which says that it makes none.`,
      'Let the initialiser say noisy: true.',
    )
  }
}

const pastOf = ({ model, committed, passes, history }: ImageState): ImagePast => ({
  model,
  committed,
  passes,
  history: [...history],
})

/** The trunk, and as many of its branches as the slot has cells for where the trunk goes on to position `end`. */
function withinRoom(drafts: Draft[], end: number, model: Model): Draft[] {
  let room = model.layout.length - freeFrom(model, end + 1) + SPARE_CELLS
  for (const [i, { parent, position }] of drafts.entries()) {
    if (parent === undefined) continue
    room -= freeFrom(model, position + 1) - position
    if (room < 0) return drafts.slice(0, i)
  }
  return drafts
}

/**
 * The drafts, by index, from `committed` on along the first-born behind a draft, and beyond its line's end along what is
 * committed's.
 */
function trunkBehind(index: number, drafts: readonly Draft[], committed: number): number[] {
  const children = childrenOf(drafts)
  const trunk: number[] = []
  let from = committed
  for (const start of [index, -1]) {
    for (let [i] = children[start + 1]; i !== undefined; [i] = children[i + 1]) {
      if (drafts[i].position < from) continue
      trunk.push(i)
      from = drafts[i].position + 1
    }
  }
  return trunk
}

/**
 * The position behind the last draft, which the pass's last row predicts (SJD's official code drafts it so); null where
 * there is none, or verification has read that row for what is committed. `places` are of the drafts that are held on.
 */
function entersNext(places: readonly number[], pass: Pass, committed: number): Draft | null {
  const last = places.at(-1) ?? trunkBehind(-1, pass.drafts, 0).at(-1)
  if (last === undefined) return null
  const next = pass.behind(last)
  // the image's last free position is never fed
  const fed = next.position >= committed && next.position < pass.model.layout.lastIndexOf(-1)
  return fed ? next : null
}

/** Where what was fed before the drafts at `places` is not what `trunk`, made of them, or the image now holds. */
function staleBefore(
  places: readonly number[],
  trunk: readonly Draft[],
  { drafts }: Pass,
  { tokens, model }: ImageState,
): Set<number> {
  const held = new Map(trunk.map(({ position, code }) => [position, code]))
  const stale = new Set<number>()
  const seen = new Set<number>()
  for (const place of places) {
    for (let i = place; i >= 0 && !seen.has(i); i = parentOf(drafts, i)) {
      seen.add(i)
      const { position, code, noise } = drafts[i]
      const now = held.get(position) ?? tokens[position] - model.image.first
      if (noise !== null || code !== now) stale.add(position)
    }
  }
  return stale
}

/** Takes a latent towards its draft's embedding, to the level it should have; null once it is clean. */
function denoised(
  { latent, level: from, timestep: before }: Noise,
  code: number,
  distance: number,
  denoising: Denoising,
  model: Model,
): Noise | null {
  const level = denoising.next(from, distance)
  if (level <= 0) return null
  // checkPolicy has seen to it that a model that is fed noise names its schedule.
  const { schedule } = model.denoising as NonNullable<Model['denoising']>
  const { table, width } = model.embeddings
  const timestep = level / denoising.levels
  denoise(latent, table, code * width, noiseSchedules[schedule], before, timestep)
  return { latent, level, timestep }
}

function checkPieces({ name, window, initialize, denoise = null, verify, branches }: ChainPieces): void {
  if (branches && branches.verify !== verify.name) {
    throw new PolicyError(
      `${name} verifies by ${verify.name} coupling, which can make nothing of ${branches.name}.`,
      `Use coupling ${branches.verify} with it, or nothing beside the chain (branches=0, siblings=1).`,
    )
  }
  if (typeof window === 'number' && (!Number.isInteger(window) || window < 0)) {
    throw new PolicyError(`The window of ${name} is ${window}.`, 'Give a whole number of drafts, 0 or more.')
  }
  if (initialize.noisy && denoise === null) {
    throw new PolicyError(
      `${name} starts from ${initialize.name} latents, but has no levels to denoise them by.`,
      'Give denoise: denoiseByPasses(levels), or start from codes.',
    )
  }
  if (!initialize.noisy && denoise !== null) {
    throw new PolicyError(
      `${name} has levels of noise, but starts from codes (${initialize.name}), which are clean.`,
      'Initialise by gaussian(levels), or give denoise: null.',
    )
  }
}
