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
 * What a position of the window holds between two passes. Positions whose token the layout forces have no
 * draft.
 */
export interface Draft {
  readonly position: number
  /** The image code `d_j` drawn for it last (0 … count - 1), or `NO_CODE`. */
  readonly code: number
  /** The distribution `q_j` that the code was drawn from; null together with `NO_CODE`. */
  readonly proposal: Proposal | null
  /** null: the entry is clean, the model is fed the code's own embedding. */
  readonly noise: Noise | null
}
