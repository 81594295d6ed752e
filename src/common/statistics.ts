/** Means with confidence intervals. */

export interface Estimate {
  readonly mean: number
  /** Bounds of the 95 % confidence interval. */
  readonly low: number
  readonly high: number
}

/**
 * The mean of all values and its percentile-bootstrap interval: whole prompts are drawn anew, with replacement,
 * `resamples` times, since what several seeds make of one prompt is alike.
 * @param prompts [prompts][values] at least one of each.
 * @param random uniform on [0, 1).
 */
export function bootstrapMean(
  prompts: readonly (readonly number[])[],
  random: () => number,
  resamples = 2000,
): Estimate {
  const n = prompts.length
  const sums = prompts.map((values) => values.reduce((sum, value) => sum + value, 0))
  const means = new Float64Array(resamples)
  for (let r = 0; r < resamples; r++) {
    let sum = 0
    let count = 0
    for (let i = 0; i < n; i++) {
      const drawn = Math.floor(random() * n)
      sum += sums[drawn]
      count += prompts[drawn].length
    }
    means[r] = sum / count
  }
  means.sort()
  const at = (quantile: number) => means[Math.round(quantile * (resamples - 1))]
  return { mean: mean(prompts.flat()), low: at(0.025), high: at(0.975) }
}

/** [prompts][values] of records, the prompts in the order in which they first come. */
export function byPrompt<T extends { readonly prompt: string }>(
  records: readonly T[],
  read: (record: T) => number,
): number[][] {
  const prompts = new Map<string, number[]>()
  for (const record of records) {
    const values = prompts.get(record.prompt)
    if (values) values.push(read(record))
    else prompts.set(record.prompt, [read(record)])
  }
  return [...prompts.values()]
}

/** A prompt's part in a ratio of sums: what it adds above and below. */
export type RatioPart = readonly [above: number, below: number]

/**
 * Ratios of sums over prompts, each with its percentile-bootstrap interval: whole prompts are drawn anew, with
 * replacement, and all ratios see the same draws.
 * @param prompts [prompts, ratios] at least one prompt.
 * @param random uniform on [0, 1).
 * @returns [ratios] null where no prompt has anything below. Draws without any are left out of an interval.
 */
export function bootstrapRatios(
  prompts: readonly (readonly RatioPart[])[],
  random: () => number,
  resamples = 1000,
): (Estimate | null)[] {
  const draws = Array.from({ length: resamples }, () =>
    ratios(prompts.map(() => prompts[Math.floor(random() * prompts.length)])),
  )
  return ratios(prompts).map((ratio, k) => {
    if (Number.isNaN(ratio)) return null
    const drawn = Float64Array.from(
      draws.map((draw) => draw[k]).filter((value) => !Number.isNaN(value)),
    ).sort()
    const at = (quantile: number) => drawn[Math.round(quantile * (drawn.length - 1))]
    return { mean: ratio, low: at(0.025), high: at(0.975) }
  })
}

function ratios(prompts: readonly (readonly RatioPart[])[]): number[] {
  return prompts[0].map((_, k) => {
    let above = 0
    let below = 0
    for (const parts of prompts) {
      above += parts[k][0]
      below += parts[k][1]
    }
    return above / below
  })
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length
