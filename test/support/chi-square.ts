/** Pearson's test of counts against probabilities. */
export interface ChiSquare {
  readonly statistic: number
  readonly degrees: number
  /**
   * How probable a statistic at least as large is if the probabilities are right; 0 where something
   * impossible was seen.
   */
  readonly pValue: number
}

/**
 * Outcomes expected less often than this are counted together: the test is an approximation for large counts.
 */
const LEAST_EXPECTED = 5

export function chiSquare(
  counts: ReadonlyMap<string, number>,
  truth: ReadonlyMap<string, number>,
): ChiSquare {
  const samples = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const impossible = [...counts.keys()].some((outcome) => !truth.has(outcome))
  if (impossible) return { statistic: Infinity, degrees: truth.size - 1, pValue: 0 }
  let statistic = 0
  let cells = 0
  const add = (seen: number, expected: number) => {
    statistic += (seen - expected) ** 2 / expected
    cells += 1
  }
  let rareSeen = 0
  let rareExpected = 0
  for (const [outcome, probability] of truth) {
    const seen = counts.get(outcome) ?? 0
    const expected = samples * probability
    if (expected >= LEAST_EXPECTED) {
      add(seen, expected)
    } else {
      rareSeen += seen
      rareExpected += expected
    }
  }
  if (rareExpected > 0) add(rareSeen, rareExpected)
  const degrees = cells - 1
  return { statistic, degrees, pValue: degrees === 0 ? 1 : upperGamma(degrees / 2, statistic / 2) }
}

/** Regularised upper incomplete gamma function Q(a, x) (Numerical Recipes, section 6.2). */
export function upperGamma(a: number, x: number): number {
  if (x <= 0) return 1
  const scale = Math.exp(a * Math.log(x) - x - logGamma(a))
  if (x < a + 1) {
    let term = 1 / a
    let sum = term
    for (let n = 1; term > sum * 1e-15; n += 1) {
      term *= x / (a + n)
      sum += term
    }
    return 1 - scale * sum
  }
  let b = x + 1 - a
  let c = 1e300
  let d = 1 / b
  let fraction = d
  for (let n = 1; n < 1000; n += 1) {
    const factor = -n * (n - a)
    b += 2
    d = 1 / (factor * d + b)
    c = b + factor / c
    fraction *= c * d
    if (Math.abs(c * d - 1) < 1e-15) break
  }
  return scale * fraction
}

/** Logarithm of the gamma function (Lanczos, g = 7). */
function logGamma(x: number): number {
  const coefficients = [
    676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
    -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ]
  const sum = coefficients.reduce((s, c, i) => s + c / (x + i), 0.99999999999980993)
  const t = x + 6.5
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum)
}
