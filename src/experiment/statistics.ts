/** Means with confidence intervals. */

export interface Estimate {
  readonly mean: number
  /** Bounds of the 95 % confidence interval. */
  readonly low: number
  readonly high: number
}

/**
 * The mean and its percentile-bootstrap interval: the values are drawn anew, with replacement, `resamples` times.
 * @param values one per prompt, at least one.
 * @param random uniform on [0, 1).
 */
export function bootstrapMean(values: readonly number[], random: () => number, resamples = 2000): Estimate {
  const n = values.length
  const means = new Float64Array(resamples)
  for (let r = 0; r < resamples; r++) {
    let sum = 0
    for (let i = 0; i < n; i++) sum += values[Math.floor(random() * n)]
    means[r] = sum / n
  }
  means.sort()
  const at = (quantile: number) => means[Math.round(quantile * (resamples - 1))]
  return { mean: mean(values), low: at(0.025), high: at(0.975) }
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length
