/** Which changes of a policy make no sense together, each with the reason. */
import { type Initializer, PolicyError, SPARE_CELLS } from '../decoding/index.js'
import type { Change, Settings } from './changes.js'

/** Drafts of a tree of siblings beside the chain: a slot has spare cells for each, and a forced token behind it. */
const MOST_SIBLINGS = SPARE_CELLS / 2

/**
 * @param name the policy's.
 * @param asked what the user asked for; the policy's own settings need no reason.
 * @param settings all values, the policy's own where the user gave none.
 * @param initialize what enters the window then.
 * @throws PolicyError for the first change that makes no sense.
 */
export function refuseSenseless(
  name: string,
  asked: ReadonlySet<string>,
  settings: Settings,
  initialize: Initializer,
): void {
  checkTree(name, asked, settings)
  checkUsed(name, asked, settings)
  if (initialize.noisy) checkNoisy(name, asked, settings)
  else checkClean(name, asked, settings, initialize)
}

function refuse(name: string, option: Change, reason: string, remedy: string, what: string = option): never {
  throw new PolicyError(`${what} makes no sense for ${name} here: ${reason}.`, remedy, { option })
}

function checkTree(name: string, asked: ReadonlySet<string>, { branches, siblings, depth }: Settings): void {
  if (asked.has('depth') && siblings === 1) {
    refuse(name, 'depth', 'there is no tree whose depth it could be', 'Add siblings.')
  }
  if (branches > 0 && siblings > 1) {
    refuse(name, 'branches', 'the tree of siblings is one of its own', 'Say branches=0 or siblings=1.')
  }
  if (siblings > 1 && besideChain(siblings, depth) > MOST_SIBLINGS) {
    throw new PolicyError(
      `A tree of ${siblings} siblings, ${depth} deep, is more than the ${MOST_SIBLINGS} drafts beside the chain that a pass can hold.`,
      'Give fewer siblings, or a smaller depth.',
      { option: 'siblings' },
    )
  }
}

/** Drafts of a whole tree (`fanOut`) that are not the chain's. */
function besideChain(siblings: number, depth: number): number {
  return (siblings ** (depth + 1) - siblings) / (siblings - 1) - depth
}

/** Numbers that belong to another coupling or acceptance than the one in force. */
function checkUsed(name: string, asked: ReadonlySet<string>, { coupling, accept }: Settings): void {
  if (asked.has('threshold') && coupling !== 'reuse') {
    const reason = `${coupling} coupling keeps no draft for the model's confidence in it`
    refuse(name, 'threshold', reason, 'Leave it out, or use reuse coupling.')
  }
  for (const [option, owner] of [
    ['group', 'group'],
    ['distance', 'group'],
    ['nearest', 'nearest'],
    ['delta', 'nearest'],
  ] as const) {
    if (!asked.has(option) || accept === owner) continue
    const by =
      accept === 'coupling'
        ? 'their own probability'
        : `that of ${accept === 'group' ? 'their group' : 'the nearest codes'}`
    refuse(name, option, `drafts are accepted by ${by}`, `Leave it out, or use accept ${owner}.`)
  }
}

/** What only noisy entries would give a meaning. */
function checkClean(
  name: string,
  asked: ReadonlySet<string>,
  { verify }: Settings,
  { name: init }: Initializer,
): void {
  for (const option of ['levels', 'denoise', 'margin', 'keepNoisyKeys'] as const) {
    if (!asked.has(option)) continue
    const remedy = `Leave ${option} out, or use gaussian init.`
    refuse(name, option, `${init} init starts from codes, which hold no noise`, remedy)
  }
  if (asked.has('verify') && verify === 'relaxed') {
    const reason = `it differs from exact at noisy entries only, and ${init} init makes none`
    refuse(name, 'verify', reason, 'Leave it out, or use gaussian init.', 'relaxed verification')
  }
}

/** What the other settings of noise make meaningless. */
function checkNoisy(
  name: string,
  asked: ReadonlySet<string>,
  { window, denoise, margin, verify, keepNoisyKeys }: Settings,
): void {
  if (asked.has('margin') && denoise !== 'distance') {
    refuse(name, 'margin', 'levels that count passes know no distance to the front', 'Add denoise distance.')
  }
  if (denoise === 'distance' && margin >= window) {
    const reason = `it leaves no draft of the window of ${window} noisy`
    refuse(name, 'margin', reason, 'Give a smaller margin.', `margin ${margin}`)
  }
  if (asked.has('keepNoisyKeys') && keepNoisyKeys && verify !== 'relaxed') {
    const reason = 'exact verification stops at noisy entries, so none is ever kept'
    refuse(name, 'keepNoisyKeys', reason, 'Add verify relaxed.')
  }
}
