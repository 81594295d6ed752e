/**
 * Pieces by name: what a user may put in the place of a policy's own with `init=above` or `coupling=gumbel`, and the
 * numbers that such pieces read. A policy's file shows its own pieces; this says what else there is.
 */
import {
  above,
  type Branching,
  type ChainPieces,
  type Denoising,
  type Draw,
  denoiseByDistance,
  denoiseByPasses,
  exactPrefix,
  fanOut,
  gaussian,
  grouped,
  gumbel,
  type Initializer,
  independent,
  latentNearest,
  left,
  likeliest,
  maximal,
  type PrefixRule,
  random,
  relaxedPrefix,
  repeat,
  reuse,
  runnersUp,
  vertical,
} from '../decoding/index.js'
import { flag, integer, number, oneOf, type Parameter, type Values } from './parameter.js'

/** A level of noise fits a byte of a `PassRecord`. */
const MOST_LEVELS = 255

/** A tree of runners-up is grown in a moment; a pass holds fewer. */
const MOST_BRANCHES = 1024

// Parameters that a policy may have as its own, each with the default that its file gives.

export const window = (drafts: number): Parameter<number> =>
  integer(drafts, 'positions decoded in parallel: drafts in a pass', { least: 1 })

export const threshold = (ratio: number): Parameter<number> =>
  number(ratio, 'with coupling reuse: the p(d)/q(d) from which a draft is kept', { least: 0 })

export const group = (codes: number): Parameter<number> =>
  integer(codes, 'with accept group: codes next in probability that may be of the group', { least: 1 })

export const distance = (squared: number): Parameter<number> =>
  number(squared, 'with accept group: squared distance of embeddings below which codes may be of the group', {
    least: 0,
  })

export const nearest = (codes: number): Parameter<number> =>
  integer(codes, 'with accept nearest: nearest codes that may lend a draft probability', { least: 1 })

export const delta = (mass: number): Parameter<number> =>
  number(
    mass,
    'with accept nearest: the most probability they may lend in all; above 1: delta - 1 times the draft’s own',
    { least: 0 },
  )

export const levels = (steps: number): Parameter<number> =>
  integer(steps, 'steps of denoising from pure noise to clean', { least: 1, most: MOST_LEVELS })

export const branches = (entries: number): Parameter<number> =>
  integer(entries, 'entries for runners-up beside the drafts, with coupling gumbel', {
    least: 0,
    most: MOST_BRANCHES,
  })

export const siblings = (drafts: number): Parameter<number> =>
  integer(drafts, 'drafts for each position of a tree at the front, with coupling maximal', { least: 1 })

export const depth = (positions: number): Parameter<number> =>
  integer(positions, 'positions that this tree reaches, with siblings', { least: 1 })

export const keepNoisyKeys = (keep: boolean): Parameter<boolean> =>
  flag(keep, 'with verify relaxed: do not feed accepted noisy entries again')

// `rowParallel` says what ranges these two have.

export const rows = (atOnce: number): Parameter<number> =>
  number(atOnce, 'rows of the picture decoded at once, with pjd')

export const lag = (codes: number): Parameter<number> =>
  number(codes, 'codes that a row has when the next one starts, with pjd and zipar')

const starts = { random, repeat, left, likeliest, above, vertical }

/** All changes of a chain's pieces, with the defaults of a policy that has nothing of the kind. */
export const changes = {
  init: oneOf([...namesOf(starts), 'gaussian'], 'random', 'what enters the window'),
  coupling: oneOf(
    ['independent', 'maximal', 'gumbel', 'reuse'],
    'independent',
    'how drafts are drawn anew, and accepted',
  ),
  threshold: threshold(1),
  accept: oneOf(
    ['coupling', 'group', 'nearest'],
    'coupling',
    'what drafts are accepted by: what the coupling says, or the probability of similar codes (relaxed)',
  ),
  group: group(13),
  distance: distance(0.5),
  nearest: nearest(1000),
  delta: delta(0.1),
  levels: levels(1),
  denoise: oneOf(
    ['passes', 'distance'],
    'passes',
    'what the levels of noise follow: passes, or the distance to the front',
  ),
  margin: integer(0, 'clean drafts at the front, with denoise distance', { least: 0 }),
  branches: branches(0),
  siblings: siblings(1),
  depth: depth(3),
  verify: oneOf(
    ['exact', 'relaxed'],
    'exact',
    'how far the accepted prefix may reach; relaxed: over noisy entries',
  ),
  keepNoisyKeys: keepNoisyKeys(false),
}

export type Change = keyof typeof changes
export type Settings = Values<typeof changes> & { readonly window: number }

/** The pieces that changes may replace; a policy of rows has the first ones only. */
export type Replaceable = Pick<ChainPieces, 'initialize' | 'verify' | 'refine'> &
  Partial<Pick<ChainPieces, 'prefix' | 'denoise' | 'branches'>>

/** What a policy's own pieces are called, as defaults of the changes that would replace them. */
export function namesOfPieces({ initialize, verify, refine, prefix }: Replaceable) {
  return {
    init: initialize.name,
    coupling: refine.name,
    accept: { grouped: 'group', 'latent nearest': 'nearest' }[verify.name] ?? 'coupling',
    ...(prefix && { verify: prefix.name }),
  }
}

/**
 * A policy's pieces, with those replaced that the user asks for by name.
 * @param asked which changes the user asked for: a piece stays as it is where none of its own is among them.
 * @param settings all values, the policy's own where the user gave none.
 */
export function replaced<Q extends Replaceable>(own: Q, asked: ReadonlySet<string>, settings: Settings): Q {
  const { init, coupling, accept, denoise, verify, levels } = settings
  const draws = couplings(settings)[coupling]
  const initialize = asked.has('init') ? starting(init, levels) : own.initialize
  const denoising = asked.has('denoise') ? undefined : own.denoise
  return {
    ...own,
    initialize,
    verify:
      asked.has('accept') || asked.has('coupling') ? accepting(settings, draws.verify)[accept] : own.verify,
    refine: asked.has('coupling') ? draws.refine : own.refine,
    prefix: asked.has('verify') ? prefixes(settings)[verify] : own.prefix,
    denoise: initialize.noisy ? (denoising ?? denoisings(settings)[denoise]) : null,
    branches: ['branches', 'siblings', 'depth'].some((name) => asked.has(name))
      ? branching(settings)
      : own.branches,
  }
}

const starting = (init: Settings['init'], levels: number): Initializer =>
  init === 'gaussian' ? gaussian(levels) : starts[init]

/** How a coupling verifies and refines. */
const couplings = ({
  threshold,
}: Settings): Record<Settings['coupling'], { verify: Draw; refine: Draw }> => ({
  independent: { verify: maximal, refine: independent },
  maximal: { verify: maximal, refine: maximal },
  gumbel: { verify: gumbel, refine: gumbel },
  reuse: { verify: maximal, refine: reuse(threshold) },
})

/** What drafts are verified by. */
const accepting = (
  { group, distance, nearest, delta }: Settings,
  coupling: Draw,
): Record<Settings['accept'], Draw> => ({
  coupling,
  group: grouped(group, distance),
  nearest: latentNearest(nearest, delta),
})

const prefixes = ({ keepNoisyKeys }: Settings): Record<Settings['verify'], PrefixRule> => ({
  exact: exactPrefix,
  relaxed: relaxedPrefix(keepNoisyKeys),
})

const denoisings = ({ levels, margin, window }: Settings): Record<Settings['denoise'], Denoising> => ({
  passes: denoiseByPasses(levels),
  distance: denoiseByDistance(levels, margin, window),
})

function branching({ branches, siblings, depth }: Settings): Branching | null {
  if (branches > 0) return runnersUp(branches)
  return siblings > 1 ? fanOut(siblings, depth) : null
}

function namesOf<T extends object>(pieces: T): (keyof T & string)[] {
  return Object.keys(pieces) as (keyof T & string)[]
}
