/** What images drawn from a distribution itself show of total variation from it. */
export interface Noise {
  /** On average, at most. */
  readonly floor: number
  /** For all but a share `alarm` of seeds, at most. */
  readonly limit: number
}

/** Total variation between images, over whole sequences, and the truth: on [0, 1]. */
export function measureDistance(images: Iterable<Int32Array>, truth: ReadonlyMap<string, number>): number {
  const counts = new Map<string, number>()
  let total = 0
  for (const tokens of images) {
    const key = tokens.join(' ')
    counts.set(key, (counts.get(key) ?? 0) + 1)
    total += 1
  }
  let difference = 0
  for (const outcome of new Set([...truth.keys(), ...counts.keys()])) {
    difference += Math.abs((counts.get(outcome) ?? 0) / total - (truth.get(outcome) ?? 0))
  }
  return difference / 2
}

/**
 * The floor is `sum sqrt(p (1 - p) / n) / 2`, which bounds the mean of `sum |share - p| / 2` (Jensen). Another
 * image in place of one moves that by at most `1 / n`, so that it exceeds its mean by `sqrt(ln(1 / alarm) / 2n)`
 * with at most the probability `alarm` (McDiarmid).
 */
export function noiseOf(truth: ReadonlyMap<string, number>, images: number, alarm: number): Noise {
  let deviation = 0
  for (const p of truth.values()) deviation += Math.sqrt((p * (1 - p)) / images)
  const floor = deviation / 2
  return { floor, limit: floor + Math.sqrt(Math.log(1 / alarm) / (2 * images)) }
}
