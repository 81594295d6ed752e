import { isCode, parentOf } from './draft.js'
import { type DecodingPolicy, type ImageState, PolicyError, type Verdict } from './policy.js'

/**
 * Holds what a policy's verification found to what the image can commit: its `drafts` are those of the pass.
 *
 * @throws PolicyError that says what is wrong with it.
 */
export function checkVerdict({ name }: DecodingPolicy, { codes, held }: Verdict, image: ImageState): void {
  const { drafts, ahead } = image
  const { count } = image.model.image
  const senseless = codes.find((code) => !isCode(code, count))
  if (senseless !== undefined) {
    throw new PolicyError(
      `${name} committed ${senseless}, which is no image code.`,
      `Commit codes counted from 0, below ${count}.`,
    )
  }
  // A code each for what is committed and for every draft, and those that were settled before.
  const most = drafts.length + 1 + drafts.filter(({ role }) => role === 'settled').length + ahead.size
  const path = held.every((i, k) => i in drafts && parentOf(drafts, i) === (k === 0 ? -1 : held[k - 1]))
  if (codes.length < 1 || codes.length > most || held.length > codes.length || !path) {
    throw new PolicyError(
      `${name} committed ${codes.length} codes and held [${held.join(', ')}] in a pass over ` +
        `${drafts.length} drafts.`,
      'Commit at least one code and at most one more than there are drafts, besides those that were settled before; ' +
        'hold drafts that follow one another from the front, no more than are committed.',
    )
  }
  const free = image.upcoming(held.length)
  const lost = held.find((i, k) => drafts[i].position !== free[k] || drafts[i].code !== codes[k])
  if (lost !== undefined) {
    throw new PolicyError(
      `${name} held draft ${lost}, code ${drafts[lost].code} at position ${drafts[lost].position}, which is ` +
        'not what it committed there.',
      'Hold drafts whose codes are committed: what is behind them would be decoded from the cells of others.',
    )
  }
}
