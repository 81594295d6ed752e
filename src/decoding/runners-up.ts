import TinyQueue from 'tinyqueue'
import { lowest } from '../numerics/index.js'
import type { RunnersUp } from './branches.js'
import type { Draft } from './draft.js'
import type { Pass } from './policy.js'

/** A code that may turn out right at some place of the trunk. */
interface Leader {
  readonly code: number
  /** Its `p / e`, that of the winner being 1. */
  readonly lead: number
}

/** A draft that may be added. */
interface Bud {
  readonly place: number
  readonly parent: number
  readonly code: number
  /** That the whole path to it is right. */
  readonly chance: number
  /** Steps to the nearest stale position before it on its path. */
  readonly distance: number
}

/**
 * The chance that a code turns out right is taken as proportional to `(p / e)` to the power of this: the farther what
 * `p` was wrongly told, the higher. Fitted to what was right in passes of `scenes`.
 */
const sharpness = (distance: number) => (distance <= 1 ? 0.7 : distance <= 3 ? 1.8 : 4)
/** Codes looked at for each position. */
const LEADERS = 6
/** No runner-up is looked for where the trunk is right up to there with less chance than this. */
const LEAST = 1e-3

/**
 * Runners-up where the trunk may be wrong, in at most `entries` entries: a tree grown by always adding the draft whose
 * path is the likeliest to be right, as far as the positions' own noise tells. Gumbel coupling decides by `p / e`, and
 * `e` is known; what still changes `p` is that the pass was fed wrong codes just before (`sharpness`). Branches carry
 * codes only, and end where the trunk becomes noisy.
 */
export function runnersUp(entries: number): RunnersUp {
  return {
    name: `runners-up in ${entries} entries`,
    verify: 'gumbel',
    grow(trunk, pass, stale) {
      const drafts = [...trunk]
      const noisy = trunk.findIndex(({ noise }) => noise !== null)
      const places = noisy < 0 ? trunk.length : noisy
      const leaders: Leader[][] = []
      /** What may follow a path: codes of a place, with the chance of the whole path. */
      const budsAt = (place: number, parent: number, chance: number, distance: number): Bud[] => {
        leaders[place] ??= leadersOf(trunk[place], pass)
        const weights = leaders[place].map(({ lead }) => lead ** sharpness(distance))
        const total = weights.reduce((sum, weight) => sum + weight, 0)
        return leaders[place].map(({ code }, i) => {
          const chanceOf = (chance * weights[i]) / total
          return { place, parent, code, chance: chanceOf, distance }
        })
      }
      /** The distance that the place behind has. */
      const behind = (place: number, code: number, distance: number) => {
        const { code: usual, position } = trunk[place]
        return code !== usual || stale.has(position) ? 1 : distance + 1
      }
      const buds = new TinyQueue<Bud>([], (a, b) => b.chance - a.chance)
      let distance = distanceTo(stale, trunk[0]?.position)
      for (let place = 0, chance = 1; place < places && chance > LEAST; place += 1) {
        const [first, ...others] = budsAt(place, place - 1, chance, distance)
        for (const bud of others) buds.push(bud)
        chance = first.chance
        distance = behind(place, first.code, distance)
      }
      while (drafts.length < trunk.length + entries) {
        const likeliest = buds.pop()
        if (likeliest === undefined) break
        const { place, parent, code, chance, distance } = likeliest
        drafts.push({
          position: trunk[place].position,
          code,
          proposal: { kind: 'one-hot' },
          noise: null,
          parent,
        })
        if (place + 1 === places) continue
        const following = budsAt(place + 1, drafts.length - 1, chance, behind(place, code, distance))
        for (const bud of following) buds.push(bud)
      }
      return drafts
    },
  }
}

/** A distance from which on nothing depends on it. */
const FAR = 4

/** Steps from a position back to the nearest stale one. */
function distanceTo(stale: ReadonlySet<number>, position: number): number {
  let distance = 1
  while (distance < FAR && !stale.has(position - distance)) distance += 1
  return distance
}

/** The codes that lead a draft's race, its own first. */
function leadersOf({ code, position, proposal }: Draft, pass: Pass): Leader[] {
  if (proposal?.kind !== 'dense') return [{ code, lead: 1 }]
  const p = proposal.probabilities
  const e = pass.exponentials(position)
  const codes = lowest(p.length, LEADERS, (v) => e[v] / p[v])
  return codes.map((v) => ({ code: v, lead: (p[v] / e[v]) * (e[codes[0]] / p[codes[0]]) }))
}
