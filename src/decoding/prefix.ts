import { childrenOf } from './draft.js'
import type { Draw } from './draw.js'
import type { Pass, Verdict } from './policy.js'

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
 * From the front, draws each position's code, among the drafts that stand for it; the prefix goes on behind the one
 * that was fed that code. Behind the last of them one bonus code comes from the pass.
 */
export function verifyPrefix(pass: Pass, verify: Draw, rule: PrefixRule): Verdict {
  const { drafts } = pass
  const children = childrenOf(drafts)
  const codes: number[] = []
  const held: number[] = []
  for (let node = -1; ; ) {
    const next = children[node + 1]
    const [first = pass.behind(node), ...siblings] = next.map((i) => drafts[i])
    const { code } = verify.draw(first, pass, siblings)
    codes.push(code)
    const found = next.find((i) => drafts[i].code === code)
    if (found === undefined) return { codes, held }
    const clean = drafts[found].noise === null
    if ((clean || rule.keepNoisyKeys) && held.length === codes.length - 1) held.push(found)
    if (rule.exact && !clean) return { codes, held }
    node = found
  }
}
