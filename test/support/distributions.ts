import fc from 'fast-check'

/** Probabilities [count], some of them 0. */
export const distribution = (count: number) =>
  fc
    .array(
      fc.oneof(
        { arbitrary: fc.constant(0), weight: 1 },
        { arbitrary: fc.double({ min: 0.01, max: 1, noNaN: true }), weight: 4 },
      ),
      { minLength: count, maxLength: count },
    )
    .filter((weights) => weights.some((w) => w > 0))
    .map((weights) => {
      const total = weights.reduce((sum, w) => sum + w, 0)
      return Float32Array.from(weights, (w) => w / total)
    })

/** Two of them, over 2 to 5 codes. */
export const pair = fc
  .integer({ min: 2, max: 5 })
  .chain((count) => fc.tuple(distribution(count), distribution(count)))

export const totalVariation = (p: Float32Array, q: ArrayLike<number>) =>
  p.reduce((sum, share, v) => sum + Math.abs(share - q[v]), 0) / 2

/** Steps in which a random number runs through (0, 1): shares are then known to within about 1 / STEPS. */
export const STEPS = 1000
export const chances = Array.from({ length: STEPS }, (_, i) => (i + 0.5) / STEPS)
