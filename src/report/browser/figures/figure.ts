/** What every plot of the report is, and looks like. */
import type { PlotOptions } from '@observablehq/plot'
import type { PlotRow, Setting } from '../../page.js'
import { element, mark } from '../dom.js'

export interface Figure {
  readonly id: string
  readonly title: string
  /** How to read it, for somebody who sees it for the first time. */
  readonly caption: string
  /** The plot, or why there is none. */
  draw(setting: Setting, width: number): Element | string
}

/** Colours come from the page's style, so that they follow its light and dark. */
export const colourOf = ({ exact }: { exact: boolean }): string => (exact ? 'var(--exact)' : 'var(--relaxed)')

/** Where policies share a plot: a colour for each family, of those that the page's style names. */
export function familyColours(rows: readonly PlotRow[]): (row: PlotRow) => string {
  const families = [...new Set(rows.map(({ family }) => family))]
  return ({ family }) => `var(--family-${(families.indexOf(family) % FAMILY_COLOURS) + 1})`
}

const FAMILY_COLOURS = 8

/** Where policies share a plot, a point is filled where its policy is exact, else hollow. */
export const fillOf = ({ exact, colour }: { exact: boolean; colour: string }): string =>
  exact ? colour : 'var(--paper)'

/** Where the name of a horizontal axis stands; the plot needs 44 pixels below itself. */
export const below = { labelAnchor: 'center', labelArrow: 'none', labelOffset: 36 } as const

/** Below this a plot would not be legible: its frame scrolls instead. */
const LEAST_WIDTH = 480

export const base = (width: number) =>
  ({
    width: Math.max(LEAST_WIDTH, width),
    style: { background: 'transparent', fontSize: '12px' },
  }) satisfies PlotOptions

/** Whether passes commit more than one token at all: where they never do, there is nothing to plot. */
export const guesses = ({ compression }: PlotRow): boolean => compression.high > 1

/** Why there is no plot of what passes commit. */
export const ONE_EACH = 'every pass of every policy committed one token.'

/**
 * One small plot for each row, all of one size.
 * @param least a plot's least width.
 */
export function smallMultiples(
  rows: readonly PlotRow[],
  width: number,
  least: number,
  draw: (row: PlotRow, width: number) => Element | null,
): Element {
  const columns = Math.max(1, Math.floor(width / least))
  const own = width / columns - 16
  return element(
    'div',
    { class: 'multiples', style: `grid-template-columns: repeat(${columns}, 1fr)` },
    ...rows.flatMap((row) => {
      const drawn = draw(row, own)
      return drawn
        ? element('div', { class: 'small' }, element('h4', {}, row.spec, ' ', mark(row.exact)), drawn)
        : []
    }),
  )
}
