import * as Plot from '@observablehq/plot'
import type { Progress } from '../../page.js'
import { base, below, colourOf, type Figure, guesses, ONE_EACH, smallMultiples } from './figure.js'

const HEIGHT = 195

/** Codes per pass, by where in the image the pass begins. */
export const acceptance: Figure = {
  id: 'acceptance',
  title: 'Acceptance against position',
  caption:
    'How many tokens a pass commits on average, by where in the picture it begins: from its top at the left to its bottom at the right. The dashed line is the policy’s compression; the band is the interval. All panels have the same axes, and each step upwards doubles. A policy whose every pass commits one token has no panel.',
  draw({ rows }, width) {
    const known = rows.filter(guesses)
    if (known.length === 0) return ONE_EACH
    const highs = known.flatMap(({ byPosition }) => byPosition.map(({ committed }) => committed?.high ?? 1))
    return smallMultiples(known, width, 260, (row, own) =>
      panel(row.byPosition, row.compression.mean, colourOf(row), Math.max(...highs), own),
    )
  },
}

function panel(
  progress: readonly Progress[],
  mean: number,
  colour: string,
  top: number,
  width: number,
): Element {
  const points = progress.flatMap(({ from, to, committed }) =>
    committed ? [{ x: (from + to) / 2, y: committed.mean, ...committed }] : [],
  )
  const ticks = Array.from({ length: Math.ceil(Math.log2(top)) + 1 }, (_, i) => 2 ** i)
  return Plot.plot({
    ...base(width),
    width,
    height: HEIGHT,
    marginTop: 28,
    marginLeft: 30,
    marginRight: 26,
    marginBottom: 44,
    x: {
      domain: [0, 1],
      ticks: [0, 0.5, 1],
      tickFormat: (share: number) => ['top', 'middle', 'bottom'][share * 2],
      label: 'where the pass begins',
      ...below,
    },
    y: {
      type: 'log',
      base: 2,
      domain: [1, ticks.at(-1)!],
      ticks,
      tickFormat: String,
      grid: true,
      label: '↑ tokens committed by a pass',
    },
    marks: [
      Plot.areaY(points, { x: 'x', y1: 'low', y2: 'high', fill: colour, fillOpacity: 0.25 }),
      Plot.ruleY([mean], { stroke: 'currentColor', strokeOpacity: 0.6, strokeDasharray: '4 4' }),
      Plot.lineY(points, { x: 'x', y: 'y', stroke: colour, strokeWidth: 2, tip: true }),
    ],
  })
}
