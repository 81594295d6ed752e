import { sample } from '../numerics/index.js'
import type { Siblings } from './branches.js'
import type { Draft } from './draft.js'

/**
 * A tree at the front (SJD-PAC, arXiv 2603.18599): down to `depth`, `width` drafts follow each draft, the first of them
 * the trunk's where there is one, the others drawn from the same proposal.
 */
export function fanOut(width: number, depth: number): Siblings {
  return {
    name: `fan-out of ${width}, ${depth} deep`,
    verify: 'maximal',
    grow(trunk, pass) {
      const drafts: ((typeof trunk)[number] | Draft)[] = [...trunk]
      let parents = [-1]
      for (const [place, { position, proposal, noise }] of trunk.slice(0, depth).entries()) {
        if (proposal?.kind !== 'dense' || noise !== null) break
        const children: number[] = []
        for (const parent of parents) {
          const onTrunk = parent === place - 1
          if (onTrunk) children.push(place)
          for (let sibling = onTrunk ? 1 : 0; sibling < width; sibling += 1) {
            const u = pass.uniform('sibling', position, drafts.length)
            children.push(drafts.length)
            drafts.push({ position, code: sample(proposal.probabilities, u), proposal, noise: null, parent })
          }
        }
        parents = children
      }
      return drafts
    },
  }
}
