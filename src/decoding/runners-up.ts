import type { Branching } from './branches.js'
import type { Draft } from './draft.js'
import type { Pass } from './policy.js'

/** A code that may turn out right at some place of the trunk. */
interface Candidate {
  readonly code: number
  /** Of being right where all before it are. */
  readonly share: number
}

/** Branch drafts that may be added: `chance` is that of the whole path to it. */
interface Bud {
  readonly place: number
  readonly parent: number
  readonly code: number
  readonly chance: number
}

/**
 * The chance that a code turns out right is taken as proportional to `(p / e) ** SHARPNESS`: finite, because what still
 * changes before a position changes its `p`.
 */
const SHARPNESS = 1.5
/** Codes looked at for each position. */
const CANDIDATES = 5
/** No runner-up is looked for where the trunk is right up to there with less chance than this. */
const LEAST = 1e-3

/**
 * Runners-up where the trunk may be wrong, in at most `entries` entries: a tree grown by always adding the draft whose
 * path is the likeliest to be right, as far as the positions' own noise tells. Gumbel coupling decides by `p / e`, and
 * `e` is known: see `SHARPNESS`. Branches carry codes only, and end where the trunk becomes noisy.
 */
export function runnersUp(entries: number): Branching {
  return {
    name: `runners-up in ${entries} entries`,
    verify: 'gumbel',
    grow(trunk, pass) {
      const drafts = [...trunk]
      const noisy = trunk.findIndex(({ noise }) => noise !== null)
      const places = noisy < 0 ? trunk.length : noisy
      const candidates: Candidate[][] = []
      const at = (place: number) => {
        candidates[place] ??= candidatesOf(trunk[place], pass)
        return candidates[place]
      }
      const buds: Bud[] = []
      const bud = (place: number, parent: number, chance: number, among: readonly Candidate[]) => {
        for (const { code, share } of among) buds.push({ place, parent, code, chance: chance * share })
      }
      let reach = 1
      for (let place = 0; place < places && reach > LEAST; place += 1) {
        const [first, ...others] = at(place)
        bud(place, place - 1, reach, others)
        reach *= first.share
      }
      while (drafts.length < trunk.length + entries && buds.length > 0) {
        const [{ place, parent, code, chance }] = buds.splice(likeliest(buds), 1)
        const { position } = trunk[place]
        drafts.push({ position, code, proposal: { kind: 'one-hot' }, noise: null, parent })
        if (place + 1 < places) bud(place + 1, drafts.length - 1, chance, at(place + 1))
      }
      return drafts
    },
  }
}

function likeliest(buds: readonly Bud[]): number {
  let best = 0
  for (let i = 1; i < buds.length; i += 1) if (buds[i].chance > buds[best].chance) best = i
  return best
}

/** The likeliest codes for a draft's position, its own first. */
function candidatesOf(draft: Draft, pass: Pass): Candidate[] {
  if (draft.proposal?.kind !== 'dense') return [{ code: draft.code, share: 1 }]
  const p = draft.proposal.probabilities
  const e = pass.exponentials(draft.position)
  const highest = p[draft.code] / e[draft.code]
  const found: Candidate[] = []
  let total = 0
  for (let code = 0; code < p.length; code += 1) {
    const share = (p[code] / e[code] / highest) ** SHARPNESS
    if (!(share > 1e-4)) continue
    total += share
    found.push({ code, share })
  }
  found.sort((a, b) => b.share - a.share)
  return found.slice(0, CANDIDATES).map(({ code, share }) => ({ code, share: share / total }))
}
