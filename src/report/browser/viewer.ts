/** The trajectory viewer: one image, pass by pass, by two policies side by side. */
import type { ShownTrajectory, Viewer } from '../page.js'
import { element } from './dom.js'
import { legend } from './grid.js'
import { type Panel, panelOf } from './panel.js'
import { player } from './player.js'

const MISSING =
  'Left out: no trajectory was recorded. sjd2 compare … --report records those of the first prompts.'

const INTRODUCTION =
  'One image, pass by pass. The slider moves through the passes of both policies at once; a policy that is done waits. Arrow keys step, Home and End jump, the space bar plays. On the left what each token is; on the right the picture that the final tokens and the drafts of the pass decode to, hatched where there is no draft yet.'

export function viewerSection(viewer: Viewer | null): HTMLElement {
  const section = element(
    'section',
    { id: 'viewer', 'aria-labelledby': 'viewer-title' },
    element('h2', { id: 'viewer-title' }, 'Trajectories'),
  )
  if (viewer === null) section.append(element('p', { class: 'missing' }, MISSING))
  else section.append(element('p', {}, INTRODUCTION), ...controls(viewer))
  return section
}

function controls({ grid, trajectories }: Viewer): HTMLElement[] {
  const sides = element('div', { class: 'sides' })
  let panels: readonly Panel[] = []
  const play = player((pass) => {
    for (const panel of panels) panel.show(pass)
  })
  const images = [...new Set(trajectories.map(({ image }) => image))]
  const choice = select(images, 0, (i) => open(images[i]))
  function open(image: string) {
    const shown = trajectories.filter((trajectory) => trajectory.image === image)
    panels = opposed(shown).map((first) => panelOf(grid, shown, first, () => play.limit(longest(panels))))
    sides.replaceChildren(...panels.map(({ node }) => node))
    play.limit(longest(panels))
  }
  open(images[0])
  return [element('label', { class: 'image' }, 'Image ', choice), play.node, legend(trajectories), sides]
}

const longest = (panels: readonly Panel[]): number => Math.max(...panels.map((panel) => panel.passes()))

/** Which two are shown first: of those that guess, the one with the fewest passes beside the one with the most. */
function opposed(shown: readonly ShownTrajectory[]): number[] {
  const guesses = ({ passes }: ShownTrajectory) => passes.some(({ drafts }) => drafts.length > 0)
  const rank = (i: number) => (guesses(shown[i]) ? shown[i].passes.length : Number.POSITIVE_INFINITY)
  const order = shown.map((_, i) => i).sort((a, b) => rank(a) - rank(b))
  const guessing = order.filter((i) => guesses(shown[i]))
  const [best, most] = [order[0], (guessing.length > 1 ? guessing : order).at(-1)!]
  return best === most ? [best] : [most, best]
}

function select(
  names: readonly string[],
  chosen: number,
  onChoice: (index: number) => void,
): HTMLSelectElement {
  const options = names.map((name, i) => element('option', { value: i, selected: i === chosen }, name))
  const made = element('select', {}, ...options)
  made.addEventListener('change', () => onChoice(made.selectedIndex))
  return made
}
