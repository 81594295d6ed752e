/** What each position of the grid is in a pass: what the viewer colours. */
import type { ShownPass } from './page.js'

export const cellStates = ['committed', 'accepted', 'drawn', 'draft', 'noise', 'outside'] as const

/**
 * `committed`: final before the pass. `accepted`: its draft became final in it. `drawn`: became final in it by a draw
 * from the model, in place of a rejected draft or behind the last one. `draft`, `noise`: still open, fed clean or noisy.
 * `outside`: not yet in the window.
 */
export type CellState = (typeof cellStates)[number]

export interface Cell {
  readonly state: CellState
  /** Level of noise that it was fed with; 0: clean, or not fed. */
  readonly level: number
  /** What the cell holds in the pass: its final code or its draft; -1: nothing yet. */
  readonly code: number
}

/** @param codes [cells] the image's final codes. */
export function cellsAt(codes: readonly number[], pass: ShownPass): Cell[] {
  const { before, after, accepted, drafts, levels } = pass
  return codes.map((final, i) => {
    if (i < before) return { state: 'committed', level: 0, code: final }
    const level = levels[i - before] ?? 0
    if (i < after) return { state: i < before + accepted ? 'accepted' : 'drawn', level, code: final }
    const code = drafts[i - before] ?? -1
    if (level > 0) return { state: 'noise', level, code }
    return { state: code < 0 ? 'outside' : 'draft', level, code }
  })
}
