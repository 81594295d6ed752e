/**
 * A metric of one's own, for a study: `metrics: [./colourfulness.ts]`.
 *
 * How colourful a picture looks (Hasler and Süsstrunk, "Measuring colourfulness in natural images", 2003): from the
 * spread and the mean of the opponent colours red − green and yellow − blue. Below 15: hardly; above 80: very.
 */
import type { Metric } from 'sjd2'

const colourfulness: Metric = ({ rgb }) => {
  const redGreen: number[] = []
  const yellowBlue: number[] = []
  for (let i = 0; i < rgb.length; i += 3) {
    const [red, green, blue] = rgb.subarray(i, i + 3)
    redGreen.push(red - green)
    yellowBlue.push((red + green) / 2 - blue)
  }
  const [a, b] = [moments(redGreen), moments(yellowBlue)]
  return Math.hypot(a.deviation, b.deviation) + 0.3 * Math.hypot(a.mean, b.mean)
}

function moments(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
  return { mean, deviation: Math.sqrt(variance) }
}

export default colourfulness
