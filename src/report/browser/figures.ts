/** The plots of one setting at a time. */
import type { Setting } from '../page.js'
import { element, mark } from './dom.js'
import { acceptance } from './figures/acceptance.js'
import { compression } from './figures/compression.js'
import type { Figure } from './figures/figure.js'
import { heat } from './figures/heat.js'
import { quality } from './figures/quality.js'
import { time } from './figures/time.js'
import { tokens } from './figures/tokens.js'

const figures: readonly Figure[] = [compression, quality, acceptance, heat, tokens, time]

export function figuresSection(settings: readonly Setting[]): HTMLElement {
  const plots = element('div', { class: 'figures' })
  const drawers = figures.map((figure) => {
    const plot = element('div', { class: 'plot' })
    plots.append(
      element(
        'figure',
        { id: figure.id },
        element('h3', {}, figure.title),
        plot,
        element('figcaption', {}, figure.caption),
      ),
    )
    return (setting: Setting) => plot.replaceChildren(draw(figure, setting, plot.clientWidth))
  })
  let shown = settings[0]
  const drawAll = () => {
    for (const drawer of drawers) drawer(shown)
  }
  const section = element(
    'section',
    { 'aria-labelledby': 'plots-title' },
    element('h2', { id: 'plots-title' }, 'Plots'),
  )
  if (settings.length > 1) {
    section.append(
      chooser(settings, (setting) => {
        shown = setting
        drawAll()
      }),
    )
  }
  section.append(
    element(
      'p',
      { class: 'key' },
      mark(true),
      ' the pictures follow sequential decoding’s distribution. ',
      mark(false),
      ' they do not. Lines and bands around a value are 95 % bootstrap intervals over prompts.',
    ),
    plots,
  )
  // a plot is drawn for the width it has, and anew for another
  let width = 0
  new ResizeObserver(() => {
    if (plots.clientWidth === width) return
    width = plots.clientWidth
    drawAll()
  }).observe(plots)
  return section
}

function draw(figure: Figure, setting: Setting, width: number): Element {
  const drawn = figure.draw(setting, width)
  return typeof drawn === 'string' ? element('p', { class: 'missing' }, `Left out: ${drawn}`) : drawn
}

function chooser(settings: readonly Setting[], onChoice: (setting: Setting) => void): HTMLElement {
  const choices = settings.map((setting, i) => {
    const input = element('input', { type: 'radio', name: 'setting', checked: i === 0 })
    input.addEventListener('change', () => onChoice(setting))
    return element('label', {}, input, ` ${setting.label}`)
  })
  return element('fieldset', { class: 'choice' }, element('legend', {}, 'Setting'), ...choices)
}
