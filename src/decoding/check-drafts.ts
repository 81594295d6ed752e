import { type Draft, isCode, NO_CODE, parentOf } from './draft.js'
import { Deferred } from './lent.js'
import type { Model } from './model.js'
import { freeFrom } from './plan.js'
import { type DecodingPolicy, PolicyError } from './policy.js'

/** The positions that a draft may stand at: free ones from `first` on, below `end`. */
export interface OpenPositions {
  readonly first: number
  readonly end: number
}

/**
 * Holds what a policy scheduled to what a pass can feed and verification can rely on: a mistake here would not fail, but
 * draw pictures of another distribution.
 *
 * @throws PolicyError naming the draft and what is wrong with it.
 */
export function checkDrafts(
  policy: DecodingPolicy,
  drafts: readonly Draft[],
  model: Model,
  open: OpenPositions,
): void {
  if (!Array.isArray(drafts)) {
    throw new PolicyError(`${policy.name} scheduled ${String(drafts)}.`, 'Return a list of drafts.')
  }
  for (let i = 0; i < drafts.length; i += 1) {
    const wrong = wrongPlace(policy, drafts, i, model, open) ?? wrongEntry(policy, drafts[i], model)
    if (wrong === undefined) continue
    const [what, remedy] = wrong
    const { position } = drafts[i]
    throw new PolicyError(`${policy.name} scheduled draft ${i}, at position ${position}: ${what}.`, remedy)
  }
}

/** A stand-in without a code where the layout forces a token: that is fed. */
function standsForForced({ position, code, role }: Draft, { layout }: Model): boolean {
  return role === 'stand-in' && code === NO_CODE && layout[position] >= 0
}

/** What happened, and what to do. */
type Wrong = readonly [what: string, remedy: string] | undefined

function wrongPlace(
  { exact }: DecodingPolicy,
  drafts: readonly Draft[],
  i: number,
  model: Model,
  { first, end }: OpenPositions,
): Wrong {
  const { position, role } = drafts[i]
  const parent = parentOf(drafts, i)
  if (!(Number.isInteger(parent) && parent >= -1 && parent < i)) {
    return [`its parent is ${parent}`, 'A parent is the index of a draft before it, or -1.']
  }
  const allowed = standsForForced(drafts[i], model) || !(model.layout[position] >= 0)
  // a code that keeps its keys may be the last: once settled it is not drawn again
  const behind = role === 'settled' ? end + 1 : end
  const free = Number.isInteger(position) && position < behind && allowed
  if (!free || position < first) {
    return [
      position < first ? 'that is committed already' : 'no draft may stand there',
      `Take positions from image.upcoming(count), here of ${first} to ${end - 1}.`,
    ]
  }
  const next = parent < 0 ? first : freeFrom(model, drafts[parent].position + 1)
  const before = parent < 0 ? 'what is committed' : `draft ${parent}, at ${drafts[parent].position}`
  if (position < next) return [`it follows ${before}`, 'List drafts in the order of their positions.']
  if (exact && role === undefined && position > next) {
    return [
      `it follows ${before}, and ${next} is left out`,
      'Leave no gap: what the model says behind one is not its true conditional. Or say exact: false.',
    ]
  }
}

function wrongEntry({ noisy }: DecodingPolicy, draft: Draft, model: Model): Wrong {
  const { code, proposal, noise } = draft
  const { count } = model.image
  const { width } = model.embeddings
  if (standsForForced(draft, model)) return undefined
  if (!isCode(code, count) && (code !== NO_CODE || noise === null)) {
    return [
      `its code is ${code}`,
      `Codes count from 0, below ${count}; only where there is noise may one be NO_CODE.`,
    ]
  }
  if ((proposal === null) !== (code === NO_CODE)) {
    return [
      proposal === null ? 'its code has no proposal' : 'it has a proposal, but no code',
      'Say what a code was drawn from; null together with NO_CODE.',
    ]
  }
  // one that is still to be made would be made by looking, and is the model's own
  if (proposal?.kind === 'dense' && !(proposal instanceof Deferred)) {
    const { length } = proposal.probabilities
    if (length !== count) {
      return [`its proposal has ${length} probabilities`, `Give one for each of the ${count} codes.`]
    }
  }
  if (noise === null) return undefined
  if (!noisy)
    return ['it is noisy, and the policy says that none is', 'Say noisy: true, or give noise: null.']
  if (noise.latent.length !== width) {
    return [`its latent has ${noise.latent.length} numbers`, `Embeddings have ${width}.`]
  }
}
