/** The grid of tokens, coloured by what each one is in a pass. */
import { type Cell, type CellState, cellStates } from '../cells.js'
import type { Grid, ShownTrajectory } from '../page.js'
import { element, svg } from './dom.js'

export interface GridView {
  readonly node: SVGSVGElement
  /** @param highest the level that is coloured as pure noise. */
  show(cells: readonly Cell[], highest: number): void
}

const meanings: Readonly<Record<CellState, string>> = {
  committed: 'final before this pass',
  accepted: 'its draft was accepted in this pass',
  drawn: 'drawn by the model in this pass, behind the accepted ones',
  draft: 'a draft, still a guess',
  noise: 'fed as noise: the deeper the colour, the more of it',
  outside: 'not yet in the window',
}

export function gridView({ rows, columns }: Grid): GridView {
  const squares = Array.from({ length: rows * columns }, (_, i) =>
    svg('rect', {
      x: (i % columns) + 0.05,
      y: Math.floor(i / columns) + 0.05,
      width: 0.9,
      height: 0.9,
    }),
  )
  const titles = squares.map((square) => square.appendChild(svg('title', {})))
  const node = svg('svg', { class: 'grid', viewBox: `0 0 ${columns} ${rows}`, role: 'img' }, ...squares)
  return {
    node,
    show(cells, highest) {
      cells.forEach(({ state, level, code }, i) => {
        const square = squares[i]
        square.dataset.state = state
        square.dataset.level = String(level)
        square.style.setProperty('--level', String(highest > 0 ? level / highest : 0))
        const held = code < 0 ? 'no token' : `token ${code}`
        const noise = level > 0 ? `, fed at level ${level} of noise` : ''
        titles[i].textContent =
          `row ${Math.floor(i / columns) + 1}, column ${(i % columns) + 1}: ${held}; ${meanings[state]}${noise}`
      })
    },
  }
}

/** What the colours mean; states that no trajectory has are left out. */
export function legend(trajectories: readonly ShownTrajectory[]): HTMLElement {
  const noisy = trajectories.some(({ passes }) =>
    passes.some(({ levels }) => levels.some((level) => level > 0)),
  )
  const shown = cellStates.filter((state) => state !== 'noise' || noisy)
  return element(
    'ul',
    { class: 'legend' },
    ...shown.map((state) => element('li', {}, swatch(state), ` ${meanings[state]}`)),
  )
}

function swatch(state: CellState): SVGSVGElement {
  const square = svg('rect', {
    x: 0.05,
    y: 0.05,
    width: 0.9,
    height: 0.9,
    'data-state': state,
    style: '--level: 1',
  })
  return svg('svg', { class: 'grid swatch', viewBox: '0 0 1 1', 'aria-hidden': 'true' }, square)
}
