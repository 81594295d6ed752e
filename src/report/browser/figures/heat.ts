import * as Plot from '@observablehq/plot'
import type { Grid } from '../../page.js'
import { element } from '../dom.js'
import { type Figure, guesses, ONE_EACH, smallMultiples } from './figure.js'

const NO_GRID =
  'only a recorded trajectory says the picture’s grid of tokens (sjd2 compare … --report records some).'

/** How large the steps were that passed over each place of the picture. */
export const heat: Figure = {
  id: 'heat',
  title: 'Where passes are long',
  caption:
    'The picture’s grid of tokens. A token’s colour says how many tokens the pass committed that committed it, as a mean over the pictures: dark places took many short passes, bright ones few long ones. All panels have the same colours. A policy whose every pass commits one token has no panel.',
  draw({ rows, grid }, width) {
    const known = rows.filter(guesses)
    if (known.length === 0) return ONE_EACH
    if (grid === null) return NO_GRID
    const color: Plot.ScaleOptions = {
      type: 'sqrt',
      scheme: 'viridis',
      domain: [1, Math.max(...known.map(({ byCell }) => Math.max(...byCell!)))],
      label: 'tokens committed by the pass (mean)',
    }
    const legend = Plot.legend({ color, width: Math.min(width, 300), style: { background: 'transparent' } })
    const panels = smallMultiples(known, width, 220, ({ byCell }, own) => panel(byCell!, grid, color, own))
    return element('div', {}, legend, panels)
  },
}

function panel(
  values: readonly number[],
  { rows, columns }: Grid,
  color: Plot.ScaleOptions,
  width: number,
): Element {
  const side = Math.min(width, 190)
  return Plot.plot({
    width: side,
    height: (side * rows) / columns,
    margin: 0,
    axis: null,
    color,
    x: { domain: [0, columns] },
    y: { domain: [0, rows], reverse: true },
    style: { background: 'transparent' },
    marks: [
      Plot.raster(values, {
        width: columns,
        height: rows,
        x1: 0,
        y1: 0,
        x2: columns,
        y2: rows,
        imageRendering: 'pixelated',
      }),
    ],
  })
}
