import type { Proposal } from './proposal.js'

/** The code of a position for which nothing was drawn yet. */
export const NO_CODE = -1

/** A noisy entry: what a position feeds the model instead of its draft's embedding. */
export interface Noise {
  /** [width] normalised embedding. */
  readonly latent: Float32Array
  /** Steps of denoising left; pure noise has as many as there are levels. */
  readonly level: number
  /** `level / levels`, on (0, 1]: what the model is told. */
  readonly timestep: number
}

/**
 * What a position holds between two passes. Positions whose token the layout forces have no draft. The drafts of a
 * pass are a chain, or a tree in which several may stand for one position.
 */
export interface Draft {
  readonly position: number
  /** The image code `d_j` drawn for it last (0 … count - 1), or `NO_CODE`. */
  readonly code: number
  /** The distribution `q_j` that the code was drawn from; null together with `NO_CODE`. */
  readonly proposal: Proposal | null
  /** null: the entry is clean, the model is fed the code's own embedding. */
  readonly noise: Noise | null
  /**
   * Which draft of the pass it follows, by index, always a lower one; -1: what is committed. Absent: the one before it
   * in the list.
   */
  readonly parent?: number
  /**
   * What it is where rows run side by side (`rowParallel`, `wavefront`): decided, though positions before it are not; or a stand-in for a
   * code that is not known yet, which is a forced token, without a code, where the row ends in one. Absent: a draft to verify.
   */
  readonly role?: 'settled' | 'stand-in'
}

/** Whether it is one of `count` codes. */
export function isCode(code: number, count: number): boolean {
  return Number.isInteger(code) && code >= 0 && code < count
}

/** Index of the draft that draft `i` follows, -1 where that is what is committed. */
export function parentOf(drafts: readonly Draft[], i: number): number {
  return drafts[i].parent ?? i - 1
}

/** [drafts + 1] Indices of the drafts that follow what is committed, then of those that follow each draft. */
export function childrenOf(drafts: readonly Draft[]): number[][] {
  const children = Array.from({ length: drafts.length + 1 }, (): number[] => [])
  for (let i = 0; i < drafts.length; i += 1) children[parentOf(drafts, i) + 1].push(i)
  return children
}

/** The drafts up to a position, as a list of their own. */
export function cutBehind(drafts: readonly Draft[], position: number): Draft[] {
  const places = new Map([[-1, -1]])
  const kept: Draft[] = []
  for (const [i, draft] of drafts.entries()) {
    if (draft.position > position) continue
    places.set(i, kept.length)
    kept.push(draft.parent === undefined ? draft : { ...draft, parent: places.get(draft.parent) as number })
  }
  return kept
}
