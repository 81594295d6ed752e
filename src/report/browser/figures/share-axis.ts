/** The narrowest stretch of an axis of shares: what lies in less is no difference to be seen. */
const NARROWEST = 0.1
const STEPS = [0.02, 0.05, 0.1, 0.2]
const MOST_TICKS = 6

/** An axis of shares that holds `least` to `most`: where it begins and ends, and the whole per cents it names. */
export function shareAxis(least: number, most: number): { domain: [number, number]; ticks: number[] } {
  const margin = Math.max(0.05 * (most - least), (NARROWEST - (most - least)) / 2)
  const domain: [number, number] = [Math.max(0, least - margin), most + margin]
  const last = Math.min(1, domain[1]) // a dot at 100 % has room beside it, but no share is more
  const ticksBy = (step: number) => {
    const [from, to] = [Math.ceil(domain[0] / step - 1e-9), Math.floor(last / step + 1e-9)]
    return Array.from({ length: to - from + 1 }, (_, i) => Math.round((from + i) * step * 100) / 100)
  }
  const all = STEPS.map(ticksBy)
  return { domain, ticks: all.find(({ length }) => length <= MOST_TICKS) ?? all[all.length - 1] }
}
