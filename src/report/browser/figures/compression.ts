import * as Plot from '@observablehq/plot'
import type { PlotRow } from '../../page.js'
import { base, below, type Figure, familyColours, fillOf } from './figure.js'
import { labelMarks, marginFor } from './labelled.js'

const HEIGHT = 380
const MARGIN_TOP = 30
const MARGIN_BOTTOM = 46

interface Point extends PlotRow {
  readonly window: number
  readonly colour: string
  /** Pixels by which it is moved aside, so that intervals at one window do not hide each other. */
  readonly aside: number
}

/** Between neighbours at one window, in pixels. */
const ASIDE = 4

/** Step compression by window, a line for each policy that was measured with several. */
export const compression: Figure = {
  id: 'compression',
  title: 'Compression against window',
  caption:
    'Up: fewer passes for the same picture. The window is how many tokens a pass guesses at once; a wider one costs more to compute. Each line is a policy with nothing but its window changed; single dots are policies measured with one window. Filled dots, whole lines: exact; hollow dots, dashed lines: relaxed. The dashed line at the bottom is sequential decoding, one token a pass. Policies whose window the results do not say are left out.',
  draw({ rows }, width) {
    const colour = familyColours(rows)
    const wide = rows.flatMap((row) => (row.window ? [{ ...row, window: row.window }] : []))
    const families = [...new Set(wide.map(({ family }) => family))]
    const points = wide
      .map((row): Point => {
        const aside = (families.indexOf(row.family) - (families.length - 1) / 2) * ASIDE
        return { ...row, colour: colour(row), aside }
      })
      .sort((a, b) => a.window - b.window)
    const ofFamily = (name: string) => points.filter(({ family }) => family === name)
    if (!families.some((family) => new Set(ofFamily(family).map(({ window }) => window)).size > 1))
      return 'no policy was measured with two windows. Give, for example, sjd:window=32 and sjd:window=96.'
    const right = Math.max(...points.map(({ window }) => window)) * 1.03
    const top = Math.max(...points.map((point) => point.compression.high)) * 1.05
    const ends = families.map((family) => {
      const { window, compression, exact, colour } = ofFamily(family).at(-1)!
      return { spec: family, exact, colour, x: window, y: compression.mean }
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
        Plot.ruleY([1], { stroke: 'currentColor', strokeOpacity: 0.6, strokeDasharray: '4 4' }),
        ...families.flatMap((family) => marksOf(ofFamily(family))),
      ],
    })
  },
}

/** A family's line, intervals and dots. */
function marksOf(points: readonly Point[]): Plot.Markish[] {
  const [{ exact, colour: stroke, aside: dx }] = points
  const at = { x: 'window', y: ({ compression }: Point) => compression.mean }
  return [
    Plot.line(points, { ...at, dx, stroke, ...(exact ? {} : { strokeDasharray: '6 4' }) }),
    Plot.ruleX(points, {
      x: 'window',
      y1: ({ compression }: Point) => compression.low,
      y2: ({ compression }: Point) => compression.high,
      dx,
      stroke,
      strokeOpacity: 0.6,
      strokeWidth: 2,
    }),
    Plot.dot(points, {
      ...at,
      dx,
      symbol: 'family',
      fill: fillOf,
      stroke,
      r: 5,
      tip: true,
      channels: {
        policy: 'spec',
        low: ({ compression }: Point) => compression.low,
        high: ({ compression }: Point) => compression.high,
      },
    }),
  ]
}
