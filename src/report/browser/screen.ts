/** The picture of a pass, put together from the finished one and the pass's strip. */
import type { Film, Frame } from '../page.js'
import { element, svg } from './dom.js'

export interface Screen {
  readonly node: HTMLElement
  load(film: Film): void
  /** Shows the picture of the pass, from 0, or the last one kept before it; says which. */
  show(pass: number): Frame
}

export function screenOf(): Screen {
  const base = svg('image', { x: 0, y: 0 })
  const above = svg('svg', { x: 0, y: 0 }, base)
  const strip = svg('image', { x: 0 })
  const whole = svg('svg', { role: 'img' }, above, strip)
  let shown: Film
  return {
    node: element('div', { class: 'picture' }, whole),
    load(film) {
      const { width, height } = film
      shown = film
      whole.setAttribute('viewBox', `0 0 ${width} ${height}`)
      set(base, { href: film.whole, width, height })
      set(strip, { width, preserveAspectRatio: 'none' })
      set(above, { width })
    },
    show(pass) {
      const frame = shown.frames.findLast((other) => other.pass <= pass)!
      const { top, rows } = frame
      // the strip's first row is as in the whole picture, so that the two may overlap there
      set(above, { height: frame.strip === null ? top : Math.min(top + 1, shown.height) })
      set(strip, { y: top, height: rows })
      if (frame.strip === null) strip.removeAttribute('href')
      else set(strip, { href: frame.strip })
      whole.setAttribute('aria-label', `The picture that the tokens of pass ${frame.pass + 1} decode to`)
      return frame
    },
  }
}

function set(node: SVGElement, attributes: Readonly<Record<string, string | number>>): void {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value))
}
