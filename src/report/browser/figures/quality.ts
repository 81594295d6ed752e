import * as Plot from '@observablehq/plot'
import type { Estimate } from '../../../common/statistics.js'
import type { PlotRow } from '../../page.js'
import { element } from '../dom.js'
import { base, below, type Figure, familyColours, fillOf } from './figure.js'
import { labelMarks, marginFor } from './labelled.js'
import { shareAxis } from './share-axis.js'

const NOT_JUDGED =
  'the results hold no judgement of the pictures; the bundled judge reads captions of scenes.'

const HEIGHT = 380
const MARGIN_TOP = 30
const MARGIN_BOTTOM = 46

type Judged = 'right' | 'facts'

const judged: readonly { readonly key: Judged; readonly label: string }[] = [
  { key: 'right', label: 'pictures that show all that is asked' },
  { key: 'facts', label: 'facts of the captions that are shown' },
]

interface Point {
  readonly spec: string
  readonly exact: boolean
  readonly colour: string
  readonly quality: Estimate
  readonly compression: Estimate
}

/** What the judge says of the pictures, beside how few passes they took. */
export const quality: Figure = {
  id: 'quality',
  title: 'Quality against compression',
  caption:
    'Right: better pictures, as a program judges them by their captions. Up: fewer passes. The best policy is at the top right. Exact policies draw from one distribution, so that they differ in quality by chance alone. The lines through a point are its intervals, in both directions. Filled: exact; hollow: relaxed.',
  draw({ rows }, width) {
    const plots = judged.flatMap(({ key, label }) => {
      const points = pointsOf(rows, key, familyColours(rows))
      return points.length > 0 ? [scatter(points, label, width > 900 ? width / 2 - 12 : width)] : []
    })
    if (plots.length === 0) return NOT_JUDGED
    return element('div', { class: 'pair' }, ...plots)
  },
}

const pointsOf = (rows: readonly PlotRow[], key: Judged, colour: (row: PlotRow) => string): Point[] =>
  rows.flatMap((row) => {
    const { spec, exact, compression, [key]: quality } = row
    return quality ? [{ spec, exact, colour: colour(row), quality, compression }] : []
  })

function scatter(points: readonly Point[], label: string, width: number): Element {
  const [worst, best] = [
    Math.min(...points.map(({ quality }) => quality.low)),
    Math.max(...points.map(({ quality }) => quality.high)),
  ]
  const { domain, ticks } = shareAxis(worst, best)
  const top = Math.max(...points.map(({ compression }) => compression.high)) * 1.05
  const labels = points.map(({ spec, exact, colour, quality, compression }) => ({
    spec,
    exact,
    colour,
    x: quality.mean,
    y: compression.mean,
  }))
  return Plot.plot({
    ...base(width),
    height: HEIGHT,
    marginTop: MARGIN_TOP,
    marginBottom: MARGIN_BOTTOM,
    marginRight: marginFor(labels),
    x: {
      domain,
      label,
      ...below,
      tickFormat: '.0%',
      ticks,
    },
    y: { domain: [0, top], grid: true, label: '↑ compression (image tokens ÷ passes)' },
    marks: [
      Plot.ruleY([0]),
      ...labelMarks(labels, domain[1], top / (HEIGHT - MARGIN_TOP - MARGIN_BOTTOM)),
      Plot.link(points, {
        x1: ({ quality }: Point) => quality.low,
        x2: ({ quality }: Point) => quality.high,
        y1: ({ compression }: Point) => compression.mean,
        y2: ({ compression }: Point) => compression.mean,
        stroke: 'colour',
        strokeOpacity: 0.6,
      }),
      Plot.link(points, {
        x1: ({ quality }: Point) => quality.mean,
        x2: ({ quality }: Point) => quality.mean,
        y1: ({ compression }: Point) => compression.low,
        y2: ({ compression }: Point) => compression.high,
        stroke: 'colour',
        strokeOpacity: 0.6,
      }),
      Plot.dot(points, {
        x: ({ quality }: Point) => quality.mean,
        y: ({ compression }: Point) => compression.mean,
        fill: fillOf,
        stroke: 'colour',
        r: 5,
        tip: true,
        channels: { policy: 'spec' },
      }),
    ],
  })
}
