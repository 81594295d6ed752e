/** The slider over passes, its play button and its keys. */
import { element } from './dom.js'

export interface Player {
  readonly node: HTMLElement
  /** Says how many passes there are, and shows where the slider then stands. */
  limit(passes: number): void
}

/** A whole image takes at most so long to play; a short one goes at the pace below. */
const SECONDS = 15
const PASSES_PER_SECOND = 4

/** @param onPass told of the pass to show, from 1. */
export function player(onPass: (pass: number) => void): Player {
  const slider = element('input', { type: 'range', min: 1, max: 1, value: 1, step: 1, 'aria-label': 'pass' })
  const count = element('output', {})
  const button = element('button', { type: 'button' })
  let timer: ReturnType<typeof setInterval> | undefined

  const passes = () => Number(slider.max)
  const pass = () => Number(slider.value)

  function show(to: number) {
    slider.value = String(to)
    count.textContent = `pass ${slider.value} of ${slider.max}`
    onPass(pass())
  }
  function stop() {
    clearInterval(timer)
    timer = undefined
    button.textContent = '▶ Play'
  }
  function toggle() {
    if (timer !== undefined) return stop()
    if (pass() === passes()) show(1)
    const rate = Math.max(PASSES_PER_SECOND, passes() / SECONDS)
    const ticks = Math.min(rate, 20)
    timer = setInterval(() => {
      show(Math.min(passes(), pass() + Math.max(1, Math.round(rate / ticks))))
      if (pass() === passes()) stop()
    }, 1000 / ticks)
    button.textContent = '⏸ Pause'
  }

  const keys: Readonly<Record<string, () => void>> = {
    ArrowLeft: () => show(pass() - 1),
    ArrowRight: () => show(pass() + 1),
    Home: () => show(1),
    End: () => show(passes()),
    ' ': toggle,
  }
  document.addEventListener('keydown', (event) => {
    const own = event.target === slider
    const taken = event.target instanceof HTMLElement && event.target.matches('select, button, input, a')
    const act = keys[event.key]
    if (act === undefined || event.ctrlKey || event.metaKey || event.altKey || (taken && !own)) return
    event.preventDefault()
    if (event.key !== ' ') stop()
    act()
  })
  slider.addEventListener('input', () => {
    stop()
    show(pass())
  })
  button.addEventListener('click', toggle)
  stop()

  return {
    node: element('div', { class: 'player' }, button, slider, count),
    limit(most) {
      slider.max = String(most)
      show(Math.min(pass(), most))
    },
  }
}
