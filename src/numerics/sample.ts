/**
 * The code that `u` on (0, 1) falls on when the weights stand side by side, scaled to 1. Weights need no sum
 * of 1; a code without weight is never drawn, rounding or not. -1 where no weight is positive.
 */
export function sample(weights: ArrayLike<number>, u: number): number {
  let total = 0
  for (let v = 0; v < weights.length; v += 1) total += weights[v]
  const target = u * total
  let sum = 0
  let last = -1
  for (let v = 0; v < weights.length; v += 1) {
    if (weights[v] > 0) {
      sum += weights[v]
      last = v
      if (sum > target) return v
    }
  }
  return last
}

/** The largest probability's code; of equal ones the lowest. */
export function argmax(p: Float32Array): number {
  let best = 0
  for (let v = 1; v < p.length; v += 1) if (p[v] > p[best]) best = v
  return best
}

/**
 * Exponential race: `argmax_v p(v) / E(v)`, which is the Gumbel argmax `argmax_v log p(v) + g(v)` for `g =
 * -log E`. With `E` of mean 1 the winner follows `p`; with the same `E` it stays where it is while `p`
 * changes little. Of equal ones the lowest.
 */
export function race(p: Float32Array, exponentials: Float32Array): number {
  let best = 0
  let highest = p[0] / exponentials[0]
  for (let v = 1; v < p.length; v += 1) {
    const score = p[v] / exponentials[v]
    if (score > highest) {
      highest = score
      best = v
    }
  }
  return best
}
