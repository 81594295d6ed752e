/** Labels in the right margin, each tied to its point, so that none hides another. */
import * as Plot from '@observablehq/plot'
import { spreadOut } from '../../spread-out.js'

export interface Labelled {
  readonly spec: string
  readonly exact: boolean
  readonly colour: string
  readonly x: number
  readonly y: number
}

const LABEL_HEIGHT = 15
const CHARACTER_WIDTH = 7.2

export const marginFor = (points: readonly Labelled[]): number =>
  28 + CHARACTER_WIDTH * Math.max(...points.map((point) => label(point).length))

/**
 * @param right the x axis' upper bound, beside which the labels stand.
 * @param unit units of y in a pixel.
 */
export function labelMarks(points: readonly Labelled[], right: number, unit: number): Plot.Markish[] {
  const heights = spreadOut(
    points.map(({ y }) => y),
    LABEL_HEIGHT * unit,
  )
  const placed = points.map((point, i) => ({ ...point, height: heights[i] }))
  return [
    Plot.link(placed, {
      x1: 'x',
      y1: 'y',
      x2: right,
      y2: 'height',
      stroke: 'currentColor',
      strokeOpacity: 0.5,
      strokeDasharray: '1 3',
    }),
    Plot.text(placed, {
      x: right,
      y: 'height',
      text: label,
      textAnchor: 'start',
      dx: 6,
      fill: 'colour',
      fontWeight: 600,
    }),
  ]
}

const label = ({ spec, exact }: Labelled): string => (exact ? spec : `${spec} (relaxed)`)
