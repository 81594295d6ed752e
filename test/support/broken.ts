/** Rules that are broken on purpose: what tests of exactness must catch. */
import {
  type Draw,
  draftProbability,
  gumbel,
  maximal,
  type PrefixRule,
  relaxedPrefix,
  reuse,
  sample,
} from '../../src/index.js'
import { race } from '../../src/numerics/index.js'

/** After a rejection, a code of p, not of what the draft has left of it. */
export const residualLeftOut: Draw = {
  ...maximal,
  draw(draft, pass) {
    const drawn = maximal.draw(draft, pass)
    if (drawn.code === draft.code || draft.proposal === null) return drawn
    return { ...drawn, code: sample(pass.distribution(draft), pass.uniform('draw', draft.position)) }
  },
}

export const alwaysAccepting: Draw = {
  ...maximal,
  draw: (draft, pass) =>
    draft.proposal === null ? maximal.draw(draft, pass) : { code: draft.code, proposal: draft.proposal },
}

export const oneChanceForAll: Draw = {
  ...maximal,
  draw: (draft, pass) => maximal.draw(draft, { ...pass, uniform: (purpose) => pass.uniform(purpose, 0) }),
}

/** Gumbel coupling by noise that is not the position's own. */
export const oneNoiseForAll: Draw = {
  ...gumbel,
  draw(draft, pass) {
    const p = pass.distribution(draft)
    return { code: race(p, pass.exponentials(0)), proposal: { kind: 'dense', probabilities: p } }
  },
}

/** Siblings tried against all of p, not what those before them left. */
export const siblingsTriedAgainstAll: Draw = {
  ...maximal,
  draw(draft, pass, siblings = []) {
    const drawn = maximal.draw(draft, pass)
    if (drawn.code === draft.code) return drawn
    const p = pass.distribution(draft)
    const tried = siblings.findIndex(({ position, code, proposal }, i) => {
      const q = proposal === null ? 1 : draftProbability(proposal, code, p.length)
      return pass.uniform('accept', position, i + 1) * q < p[code]
    })
    return tried < 0 ? drawn : { ...drawn, code: siblings[tried].code }
  },
}

/** Coupled drafts that are said to come from where they came from first. */
export const proposalsLeftStale: Draw = {
  ...maximal,
  draw(draft, pass) {
    const drawn = maximal.draw(draft, pass)
    return { ...drawn, proposal: draft.proposal ?? drawn.proposal }
  },
}

/** As SJD++'s paper has it. */
export const keptSaidToComeFromModel: Draw = {
  ...reuse(0.3),
  draw(draft, pass) {
    const { code } = reuse(0.3).draw(draft, pass)
    return { code, proposal: { kind: 'dense', probabilities: pass.distribution(draft) } }
  },
}

/** Going on past noisy entries. */
export const exactInName: PrefixRule = { ...relaxedPrefix(false), name: 'exact' }
export const exactInNameKeeping: PrefixRule = { ...relaxedPrefix(true), name: 'exact' }
