import type { Draft } from './draft.js'
import type { Pass } from './policy.js'

/** What a pass carries beside its trunk, the chain of drafts, for when these turn out wrong. */
export interface Branching {
  readonly name: string
  /** Which verification can make use of it: by maximal coupling, or by the positions' own noise (Gumbel). */
  readonly verify: string
  /**
   * The trunk with branches behind it in the list: drafts that name their parents, and that are distributed like their
   * proposals whatever the trunk's codes are.
   *
   * @param stale Positions where the pass was fed something else than what is now committed or held there: what it says
   * of those behind is said of a wrong context.
   */
  grow(trunk: readonly Draft[], pass: Pass, stale: ReadonlySet<number>): Draft[]
}

/** Cells that a slot has behind the image's last one, for what stands beside the trunk (the worker's `SPARE_CELLS`). */
export const SPARE_CELLS = 256
