import * as Plot from '@observablehq/plot'
import type { CommitBin } from '../../page.js'
import { base, below, colourOf, type Figure, guesses, ONE_EACH, smallMultiples } from './figure.js'

const HEIGHT = 195

/** How many codes passes commit, as a distribution. */
export const tokens: Figure = {
  id: 'tokens',
  title: 'Tokens per pass',
  caption:
    'The share of passes that commit so many tokens. Ranges double in width from bar to bar. The line through a bar’s end is its interval. All panels have the same axes. A policy whose every pass commits one token has no panel.',
  draw({ rows }, width) {
    const known = rows.filter(guesses)
    if (known.length === 0) return ONE_EACH
    const highs = known.flatMap(({ distribution }) => distribution.map(({ share }) => share.high))
    return smallMultiples(known, width, 330, (row, own) =>
      panel(row.distribution, colourOf(row), Math.max(...highs), own),
    )
  },
}

function panel(bins: readonly CommitBin[], colour: string, top: number, width: number): Element {
  const points = bins.map(({ label, share }) => ({ label, ...share }))
  return Plot.plot({
    ...base(width),
    style: { background: 'transparent', fontSize: '11px' }, // so that ranges fit beside each other
    width,
    height: HEIGHT,
    marginLeft: 40,
    marginTop: 28,
    marginRight: 8,
    marginBottom: 44,
    x: {
      domain: bins.map(({ label }) => label),
      label: 'tokens committed by the pass',
      ...below,
      tickSize: 0,
    },
    y: { domain: [0, top], ticks: 4, tickFormat: '.0%', grid: true, label: '↑ share of passes' },
    marks: [
      Plot.barY(points, { x: 'label', y: 'mean', fill: colour, fillOpacity: 0.75, tip: true }),
      Plot.ruleX(points, { x: 'label', y1: 'low', y2: 'high', stroke: 'currentColor' }),
      Plot.ruleY([0]),
    ],
  })
}
