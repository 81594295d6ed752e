import type { Draw } from './draw.js'
import type { ImageState, Pass, Verdict } from './policy.js'

/** How far an accepted prefix may reach: past which accepted drafts verification goes on. */
export interface PrefixRule {
  readonly name: string
  /** Whether it stops at noisy entries: the outputs behind one are not the model's true conditionals. */
  readonly exact: boolean
  /** Whether the cells of accepted drafts that were fed noisy stay as they are, or are fed again, clean. */
  readonly keepNoisyKeys: boolean
}

/** A noisy entry's own draft can be verified, but ends the prefix. */
export const exactPrefix: PrefixRule = { name: 'exact', exact: true, keepNoisyKeys: false }

/** The rule of SJD2's paper (arXiv 2510.08994): noisy entries are accepted in a run. */
export function relaxedPrefix(keepNoisyKeys: boolean): PrefixRule {
  return { name: 'relaxed', exact: false, keepNoisyKeys }
}

/**
 * From the left, draws each position's code; the prefix goes on while it is the code that was fed. Behind the
 * last draft one bonus code comes from the pass.
 */
export function verifyPrefix(pass: Pass, image: ImageState, verify: Draw, rule: PrefixRule): Verdict {
  const codes: number[] = []
  let held = 0
  for (const draft of image.drafts) {
    const { code } = verify.draw(draft, pass)
    const accepted = code === draft.code
    const clean = draft.noise === null
    if (accepted && (clean || rule.keepNoisyKeys) && held === codes.length) held += 1
    codes.push(code)
    if (!accepted || (rule.exact && !clean)) return { codes, held }
  }
  codes.push(verify.draw(pass.bonus, pass).code)
  return { codes, held }
}
