/** How latents lose their noise on their way to the front. */
export interface Denoising {
  readonly name?: string
  /** How many steps lie between pure noise and clean. */
  readonly levels: number
  /**
   * The level that a draft at `level` has in the next pass, `distance` drafts behind the front. Levels may be
   * jumped, never raised.
   */
  next(level: number, distance: number): number
}

/** One step a pass (SJD2, arXiv 2510.08994). */
export function denoiseByPasses(levels: number): Denoising {
  return { name: 'by passes', levels, next: (level) => level - 1 }
}

/**
 * A ramp over the window: clean for the `margin` drafts at the front, then rising evenly to pure noise at its
 * end. In exact decoding a noisy entry ends the accepted prefix, so that the margin is what can be accepted
 * in one pass.
 */
export function denoiseByDistance(levels: number, margin: number, window: number): Denoising {
  const target = (distance: number) =>
    distance < margin ? 0 : Math.ceil((levels * (distance - margin + 1)) / Math.max(1, window - margin))
  return {
    name: 'by distance',
    levels,
    next: (level, distance) => Math.min(level, target(distance)),
  }
}
