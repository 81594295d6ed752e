/** A least-squares fit `value ≈ Σ weights[i] · features[i]`. */
export interface Fit {
  readonly weights: number[]
  /** Share of the values' variance that the fit explains, 0 … 1 where one of the features is constant. */
  readonly explained: number
}

/**
 * Fits values at some places by features of these places, by the normal equations. The first feature should be the
 * constant 1, against which `explained` is counted.
 */
export function leastSquares(
  places: ArrayLike<number>,
  valueAt: (place: number) => number,
  featuresAt: (place: number) => readonly number[],
): Fit {
  const size = places.length > 0 ? featuresAt(places[0]).length : 0
  const rows = Array.from({ length: size }, () => new Float64Array(size + 1))
  let sum = 0
  let squares = 0
  for (let i = 0; i < places.length; i++) {
    const value = valueAt(places[i])
    const features = featuresAt(places[i])
    sum += value
    squares += value * value
    for (let r = 0; r < size; r++) {
      for (let c = 0; c < size; c++) rows[r][c] += features[r] * features[c]
      rows[r][size] += features[r] * value
    }
  }
  const moments = rows.map((row) => row[size])
  const weights = solve(rows)
  const variation = squares - sum ** 2 / places.length
  const left = squares - weights.reduce((total, weight, i) => total + weight * moments[i], 0)
  return { weights, explained: variation > 0 ? 1 - left / variation : 0 }
}

/** Gauss-Jordan on the rows [n, n + 1]; a feature that is a mixture of earlier ones gets weight 0. */
function solve(rows: Float64Array[]): number[] {
  const size = rows.length
  const dead = new Set<number>()
  for (let pivot = 0; pivot < size; pivot++) {
    const row = rows[pivot]
    if (Math.abs(row[pivot]) < 1e-6) {
      dead.add(pivot)
      continue
    }
    for (const other of rows) {
      if (other === row) continue
      const share = other[pivot] / row[pivot]
      for (let c = pivot; c <= size; c++) other[c] -= share * row[c]
    }
  }
  return rows.map((row, i) => (dead.has(i) ? 0 : row[size] / row[i]))
}
