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
  PolicyError,
  random,
  relaxedPrefix,
  repeat,
  reuse,
  runnersUp,
  SPARE_CELLS,
  vertical,
} from '../decoding/index.js'
import { choose, notNegative, wholeNumber, withoutUndefined } from './values.js'

/** What a user may change of a policy. Names are checked when the policy is made. */
export interface PolicyOverrides {
  /** Drafts in a pass. */
  readonly window?: number | undefined
  /** What enters the window: random, repeat, left, likeliest, above, vertical or gaussian. */
  readonly init?: string | undefined
  /** How drafts are drawn anew: independent, maximal, gumbel or reuse. */
  readonly coupling?: string | undefined
  /** What `p(d) / q(d)` a draft must have to be kept; with reuse coupling. */
  readonly threshold?: number | undefined
  /** What a draft is accepted by: coupling (as that says), group or nearest (of similar codes; relaxed). */
  readonly accept?: string | undefined
  /** Codes next to a draft's in the order of `p` that may be of its group; with accept group. */
  readonly group?: number | undefined
  /** Squared distance of input embeddings below which codes may be of one group; with accept group. */
  readonly distance?: number | undefined
  /** Codes nearest to a draft's in the picture tokenizer's codebook that may lend it their probability; with accept nearest. */
  readonly nearest?: number | undefined
  /** How much probability they may lend it in all; above 1: at most `delta - 1` times its own. With accept nearest. */
  readonly delta?: number | undefined
  /** Steps of denoising from pure noise to clean; with gaussian init. */
  readonly levels?: number | undefined
  /** What levels follow: passes or distance (to the front). */
  readonly denoise?: string | undefined
  /** Clean drafts at the front; with denoise by distance. */
  readonly margin?: number | undefined
  /** Entries for runners-up beside the chain of drafts; 0: none; with gumbel coupling. */
  readonly branches?: number | undefined
  /** Drafts for each position of the tree at the front, the chain's own among them; 1: no tree; with maximal coupling. */
  readonly siblings?: number | undefined
  /** Positions that the tree reaches; with siblings. */
  readonly depth?: number | undefined
  /** Rows of the picture that are decoded at once. */
  readonly rows?: number | undefined
  /** Codes that the row above must have when a row starts. */
  readonly lag?: number | undefined
  /** How far the accepted prefix may reach: exact or relaxed. */
  readonly verify?: string | undefined
  /** Keep the cells of accepted noisy entries instead of feeding them again; with relaxed verification. */
  readonly keepNoisyKeys?: boolean | undefined
}

/** A policy's settings before a user changes them; what is left out is never noisy, or as plain as can be. */
export interface ChainSettings extends PolicyOverrides {
  readonly window: number
  readonly init: string
  readonly coupling: string
}

const starts: Readonly<Record<string, Initializer>> = { random, repeat, left, likeliest, above, vertical }

/** How a coupling verifies and refines. */
function couplings({ threshold = 1 }: ChainSettings): Record<string, { verify: Draw; refine: Draw }> {
  return {
    independent: { verify: maximal, refine: independent },
    maximal: { verify: maximal, refine: maximal },
    gumbel: { verify: gumbel, refine: gumbel },
    reuse: { verify: maximal, refine: reuse(notNegative('threshold', threshold)) },
  }
}

/** What drafts are verified by. */
function verifiers(
  { group = 13, distance = 0.5, nearest = 1000, delta = 0.1 }: ChainSettings,
  coupling: Draw,
): Record<string, Draw> {
  return {
    coupling,
    group: grouped(wholeNumber('group', group, 1), notNegative('distance', distance)),
    nearest: latentNearest(wholeNumber('nearest', nearest, 1), notNegative('delta', delta)),
  }
}

/** So that a level fits a byte of a `PassRecord`. */
const MOST_LEVELS = 255

/** So that a tree of runners-up is grown in a moment; a pass holds fewer. */
const MOST_BRANCHES = 1024

/** Drafts of a tree of siblings beside the chain: a slot has spare cells for each, and a forced token behind it. */
const MOST_SIBLINGS = SPARE_CELLS / 2

/**
 * The pieces that a policy's settings name, under what the user changed of them.
 *
 * @throws PolicyError where a value is none of those possible, or a combination makes no sense.
 */
export function pieces(
  name: string,
  defaults: ChainSettings,
  overrides: PolicyOverrides,
): ChainPieces & { readonly window: number } {
  const settings: ChainSettings = { ...defaults, ...withoutUndefined(overrides) }
  const { init, coupling, accept = 'coupling', verify = 'exact', keepNoisyKeys = false } = settings
  const window = wholeNumber('window', settings.window, 1)
  const levels = wholeNumber('levels', settings.levels ?? 1, 1, MOST_LEVELS)
  const initialize = choose('init', init, { ...starts, gaussian: gaussian(levels) })
  const prefix = choose('verify', verify, { exact: exactPrefix, relaxed: relaxedPrefix(keepNoisyKeys) })
  const draws = choose('coupling', coupling, couplings(settings))
  const accepting = choose('accept', accept, verifiers(settings, draws.verify))
  const denoise = denoising(settings, levels)
  checkUsed(name, settings, overrides)
  if (initialize.noisy) checkNoisy(name, settings, overrides)
  else checkClean(name, settings, overrides)
  return {
    name,
    window,
    initialize,
    ...draws,
    verify: accepting,
    prefix,
    denoise: initialize.noisy ? denoise : null,
    branches: branching(name, settings, overrides),
  }
}

function branching(name: string, settings: ChainSettings, asked: PolicyOverrides): Branching | null {
  const entries = wholeNumber('branches', settings.branches ?? 0, 0, MOST_BRANCHES)
  const siblings = wholeNumber('siblings', settings.siblings ?? 1, 1)
  const depth = wholeNumber('depth', settings.depth ?? 3, 1)
  if (asked.depth !== undefined && siblings === 1) {
    refuse(name, 'depth', 'there is no tree whose depth it could be', 'Add siblings.')
  }
  if (entries > 0 && siblings > 1) {
    refuse(name, 'branches', 'the tree of siblings is one of its own', 'Say branches=0 or siblings=1.')
  }
  if (siblings > 1 && besideChain(siblings, depth) > MOST_SIBLINGS) {
    throw new PolicyError(
      `A tree of ${siblings} siblings, ${depth} deep, is more than the ${MOST_SIBLINGS} drafts beside the chain that a pass can hold.`,
      'Give fewer siblings, or a smaller depth.',
      { option: 'siblings' },
    )
  }
  if (entries > 0) return runnersUp(entries)
  return siblings > 1 ? fanOut(siblings, depth) : null
}

/** Drafts of a whole tree (`fanOut`) that are not the chain's. */
function besideChain(siblings: number, depth: number): number {
  return (siblings ** (depth + 1) - siblings) / (siblings - 1) - depth
}

function denoising({ denoise = 'passes', margin = 0, window }: ChainSettings, levels: number): Denoising {
  return choose('denoise', denoise, {
    passes: denoiseByPasses(levels),
    distance: denoiseByDistance(levels, wholeNumber('margin', margin, 0), window),
  })
}

function refuse(
  name: string,
  option: keyof PolicyOverrides,
  reason: string,
  remedy: string,
  what: string = option,
): never {
  throw new PolicyError(`${what} makes no sense for ${name} here: ${reason}.`, remedy, { option })
}

/** Refuses numbers that belong to a coupling, an acceptance or a policy other than the one in force. */
function checkUsed(
  name: string,
  { coupling, accept = 'coupling' }: ChainSettings,
  asked: PolicyOverrides,
): void {
  if (asked.threshold !== undefined && coupling !== 'reuse') {
    const reason = `${coupling} coupling keeps no draft for the model's confidence in it`
    refuse(name, 'threshold', reason, 'Leave it out, or use reuse coupling.')
  }
  for (const option of ['rows', 'lag'] as const) {
    if (asked[option] === undefined) continue
    refuse(name, option, 'it drafts one row after the other', 'Leave it out, or use pjd or zipar.')
  }
  for (const [option, owner] of [
    ['group', 'group'],
    ['distance', 'group'],
    ['nearest', 'nearest'],
    ['delta', 'nearest'],
  ] as const) {
    if (asked[option] === undefined || accept === owner) continue
    const by =
      accept === 'coupling'
        ? `their own probability`
        : `that of ${accept === 'group' ? 'their group' : 'the nearest codes'}`
    refuse(name, option, `drafts are accepted by ${by}`, `Leave it out, or use accept ${owner}.`)
  }
}

/** Refuses what the user asked for where only noisy entries would give it a meaning. */
function checkClean(name: string, { init }: ChainSettings, asked: PolicyOverrides): void {
  for (const option of ['levels', 'denoise', 'margin', 'keepNoisyKeys'] as const) {
    if (asked[option] === undefined) continue
    const remedy = `Leave ${option} out, or use gaussian init.`
    refuse(name, option, `${init} init starts from codes, which hold no noise`, remedy)
  }
  if (asked.verify === 'relaxed') {
    const reason = `it differs from exact at noisy entries only, and ${init} init makes none`
    refuse(name, 'verify', reason, 'Leave it out, or use gaussian init.', 'relaxed verification')
  }
}

/** Refuses what the user asked for where the other settings of noise make it meaningless. */
function checkNoisy(name: string, settings: ChainSettings, asked: PolicyOverrides): void {
  const { window, denoise = 'passes', margin = 0, verify = 'exact' } = settings
  if (asked.margin !== undefined && denoise !== 'distance') {
    refuse(name, 'margin', 'levels that count passes know no distance to the front', 'Add denoise distance.')
  }
  if (denoise === 'distance' && margin >= window) {
    const reason = `it leaves no draft of the window of ${window} noisy`
    refuse(name, 'margin', reason, 'Give a smaller margin.', `margin ${margin}`)
  }
  if (asked.keepNoisyKeys === true && verify !== 'relaxed') {
    const reason = 'exact verification stops at noisy entries, so none is ever kept'
    refuse(name, 'keepNoisyKeys', reason, 'Add verify relaxed.')
  }
}

/** Refuses every override but the ones named. */
export function allowOnly(
  name: string,
  allowed: readonly (keyof PolicyOverrides)[],
  asked: PolicyOverrides,
): void {
  for (const [option, value] of Object.entries(asked)) {
    if (value === undefined || (allowed as readonly string[]).includes(option)) continue
    throw new PolicyError(
      `${name} has no ${option}.`,
      allowed.length === 0 ? 'It takes no options of a policy.' : `It takes ${allowed.join(', ')}.`,
      { option },
    )
  }
}
