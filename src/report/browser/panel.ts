/** One policy's side of the viewer. */
import { type Cell, cellsAt } from '../cells.js'
import type { Grid, ShownPass, ShownTrajectory } from '../page.js'
import { element, mark, svg } from './dom.js'
import { gridView } from './grid.js'
import { screenOf } from './screen.js'

export interface Panel {
  readonly node: HTMLElement
  /** How many passes the image takes that is shown. */
  passes(): number
  /** @param pass from 1; beyond the image's last it stays there. */
  show(pass: number): void
}

/**
 * @param trajectories the image by each policy.
 * @param first which of them is shown.
 * @param onChange told when another one was chosen; it is expected to `show`.
 */
export function panelOf(
  grid: Grid,
  trajectories: readonly ShownTrajectory[],
  first: number,
  onChange: () => void,
): Panel {
  let shown = trajectories[first]
  let highest = 0
  const names = trajectories.map(({ spec, passes }, i) =>
    element('option', { value: i, selected: i === first }, `${spec}, ${passes.length} passes`),
  )
  const choice = element('select', { 'aria-label': 'policy' }, ...names)
  const marked = element('span', {})
  const cells = gridView(grid)
  const screen = screenOf()
  const facts = element('dl', {})
  const bars = element('div', { class: 'bars' })
  const open = (trajectory: ShownTrajectory) => {
    shown = trajectory
    highest = Math.max(0, ...trajectory.passes.flatMap(({ levels }) => levels))
    marked.replaceChildren(mark(trajectory.exact))
    bars.replaceChildren(barsOf(trajectory))
    screen.load(trajectory.film)
  }
  choice.addEventListener('change', () => {
    open(trajectories[choice.selectedIndex])
    onChange()
  })
  open(shown)
  return {
    node: element(
      'article',
      { class: 'side' },
      element('h3', {}, choice, ' ', marked),
      element('div', { class: 'views' }, cells.node, screen.node),
      facts,
      bars,
      element('p', { class: 'missing' }, 'Tokens that each pass committed, from the first pass to the last.'),
    ),
    passes: () => shown.passes.length,
    show(wanted) {
      const pass = Math.min(wanted, shown.passes.length) - 1
      const now = cellsAt(shown.codes, shown.passes[pass])
      cells.show(now, highest)
      facts.replaceChildren(...factsOf(shown, pass, now, screen.show(pass).pass))
      bars.querySelector('.now')?.classList.remove('now')
      bars.querySelectorAll('rect')[pass].classList.add('now')
    },
  }
}

function factsOf(
  { passes, codes }: ShownTrajectory,
  pass: number,
  cells: readonly Cell[],
  pictured: number,
): HTMLElement[] {
  const { before, after, accepted, entries } = passes[pass]
  const last = pass === passes.length - 1
  const open = cells.flatMap(({ code }, i) => (i >= after && code >= 0 ? [code === codes[i]] : []))
  const lines: [string, string][] = [
    ['pass', `${pass + 1} of ${passes.length}${last ? ': done' : ''}`],
    ['committed', `${after} of ${codes.length} tokens (${((100 * after) / codes.length).toFixed(0)} %)`],
    ['this pass', `+${after - before}: ${accepted} drafts accepted, ${after - before - accepted} drawn`],
    ['so far', `${(after / (pass + 1)).toFixed(2)} tokens a pass`],
    ['fed', `${entries} ${entries === 1 ? 'token' : 'tokens'} in this pass`],
  ]
  if (open.length > 0) {
    lines.push([
      'guesses',
      `${open.filter(Boolean).length} of ${open.length} are already what they will end as`,
    ])
  }
  if (pictured !== pass) lines.push(['picture', `of pass ${pictured + 1}, the last that was kept`])
  return lines.flatMap(([name, value]) => [
    element('dt', {}, name),
    element('dd', { 'data-fact': name }, value),
  ])
}

/** Tokens committed by every pass, as bars. */
function barsOf({ passes }: ShownTrajectory): SVGSVGElement {
  const committed = passes.map(({ before, after }: ShownPass) => after - before)
  const most = Math.max(...committed)
  const rectangles = committed.map((count, i) =>
    svg(
      'rect',
      { x: i + 0.1, y: most - count, width: 0.8, height: count },
      svg('title', {}, `pass ${i + 1}: ${count}`),
    ),
  )
  const node = svg(
    'svg',
    { viewBox: `0 0 ${passes.length} ${most}`, preserveAspectRatio: 'none', role: 'img' },
    ...rectangles,
  )
  node.setAttribute('aria-label', `Tokens committed by each pass, ${most} at most`)
  return node
}
