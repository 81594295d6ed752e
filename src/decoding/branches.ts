import type { Draft } from './draft.js'
import type { Pass } from './policy.js'

/** What a pass carries beside its trunk, the chain of drafts, for when these turn out wrong. */
export type Branching = Siblings | RunnersUp

/**
 * Branches that maximal coupling can make use of. It trusts a draft to be distributed like its proposal, whatever the
 * other drafts' codes are; so who grows them may not see any code that was drawn, nor the numbers that it was drawn by.
 */
export interface Siblings {
  readonly name: string
  readonly verify: 'maximal'
  /** The trunk with branches behind it in the list: drafts that name their parents. */
  grow<Held extends Place>(trunk: readonly Held[], pass: SiblingPass): (Held | Draft)[]
}

/** Branches that Gumbel coupling can make use of: it decides by the positions' own noise, whichever drafts stand there. */
export interface RunnersUp {
  readonly name: string
  readonly verify: 'gumbel'
  /**
   * The trunk with branches behind it in the list: drafts that name their parents.
   *
   * @param stale Positions where the pass was fed something else than what is now committed or held there: what it says
   * of those behind is said of a wrong context.
   */
  grow(trunk: readonly Draft[], pass: Pass, stale: ReadonlySet<number>): Draft[]
}

/** What siblings may know of a draft: all but its code. */
export type Place = Pick<Draft, 'position' | 'proposal' | 'noise'>

/** What siblings may know of a pass: numbers that nothing else is drawn by. */
export interface SiblingPass extends Pick<Pass, 'number' | 'model'> {
  uniform(purpose: 'sibling', position: number, number?: number): number
}

/** Cells that a slot has behind the image's last one, for what stands beside the trunk (the worker's `SPARE_CELLS`). */
export const SPARE_CELLS = 256
