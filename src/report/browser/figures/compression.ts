import * as Plot from '@observablehq/plot'
import type { PlotRow } from '../../page.js'
import { base, below, colourOf, type Figure } from './figure.js'
import { labelMarks, marginFor } from './labelled.js'

const HEIGHT = 380
const MARGIN_TOP = 30
const MARGIN_BOTTOM = 46

interface Point extends PlotRow {
  readonly window: number
}

/** Step compression by window, a line for each policy that was measured with several. */
export const compression: Figure = {
  id: 'compression',
  title: 'Compression against window',
  caption:
    'Up: fewer passes for the same picture. The window is how many tokens a pass guesses at once; a wider one costs more to compute. Each line is a policy with nothing but its window changed; single dots are policies measured with one window. Sequential decoding, and policies whose window the results do not say, have none.',
  draw({ rows }, width) {
    const points = rows
      .filter((row): row is Point => row.window !== null && row.window > 0)
      .sort((a, b) => a.window - b.window)
    const families = [...new Set(points.map(({ family }) => family))]
    const ofFamily = (name: string) => points.filter(({ family }) => family === name)
    if (!families.some((family) => new Set(ofFamily(family).map(({ window }) => window)).size > 1))
      return 'no policy was measured with two windows. Give, for example, sjd:window=32 and sjd:window=96.'
    const right = Math.max(...points.map(({ window }) => window)) * 1.03
    const top = Math.max(...points.map((point) => point.compression.high)) * 1.05
    const ends = families.map((family) => {
      const { window, compression, exact } = ofFamily(family).at(-1)!
      return { spec: family, exact, x: window, y: compression.mean }
    })
    return Plot.plot({
      ...base(width),
      height: HEIGHT,
      marginTop: MARGIN_TOP,
      marginBottom: MARGIN_BOTTOM,
      marginRight: marginFor(ends),
      x: {
        domain: [0, right],
        label: 'window (tokens guessed in a pass)',
        ...below,
      },
      y: { domain: [0, top], grid: true, label: '↑ compression (image tokens ÷ passes)' },
      symbol: { legend: false },
      marks: [
        Plot.ruleY([0]),
        ...labelMarks(ends, right, top / (HEIGHT - MARGIN_TOP - MARGIN_BOTTOM)),
        Plot.line(points, {
          x: 'window',
          y: (row: Point) => row.compression.mean,
          z: 'family',
          stroke: colourOf,
        }),
        Plot.ruleX(points, {
          x: 'window',
          y1: (row: Point) => row.compression.low,
          y2: (row: Point) => row.compression.high,
          stroke: colourOf,
          strokeOpacity: 0.6,
          strokeWidth: 2,
        }),
        Plot.dot(points, {
          x: 'window',
          y: (row: Point) => row.compression.mean,
          symbol: 'family',
          fill: colourOf,
          r: 5,
          tip: true,
          channels: {
            policy: 'spec',
            low: (row: Point) => row.compression.low,
            high: (row: Point) => row.compression.high,
          },
        }),
      ],
    })
  },
}
