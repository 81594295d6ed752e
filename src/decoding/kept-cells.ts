import { NO_CODE } from './draft.js'
import { ANCHOR, type PassPlan } from './pass.js'
import { type FedDrafts, freeFrom } from './plan.js'

/** An entry of some pass. */
interface Entry {
  readonly position: number
  /** As a plan's tokens. */
  readonly id: number
  /** Whether it only stands for the position's code, which is not known yet. */
  readonly standsIn: boolean
}

/** What the next pass begins with: `tokens` [length] are ids, final below `committed`. */
type Next = Pick<FedDrafts, 'model' | 'committed' | 'drafts'> & { readonly tokens: Int32Array }

/**
 * The cells of an image that keeps the keys which each entry first had, though entries are fed out of their order. Cells
 * lie in the order of feeding. An entry sees, of those before it, the ones of lower positions, and of each position
 * the last one; a code thus takes the place of what stood for it. That follows from the order alone: where a worker lost
 * its cells, all entries are fed again in that order, in one pass, and get the keys that they had.
 */
export class KeptCells {
  /** Codes that are in cells, by position, which were not committed when they were fed. */
  readonly ahead = new Map<number, number>()
  /** In the order of their cells, the anchor first. */
  readonly #fed: Entry[] = []
  /** Positions that need not be fed any more. */
  readonly #known = new Set<number>()
  /** How many of these lie in cells of the worker. */
  #valid = 0

  /** The pass that feeds what is committed or drafted and was not fed before. Rows are those of `planPass`. */
  plan(next: Next): PassPlan {
    const { entries, rows } = this.#entering(next)
    const [all, base] = [[...this.#fed, ...entries], this.#valid]
    const written = all.slice(base)
    return {
      base,
      tokens: Int32Array.from(written, ({ id }) => id),
      positions: Int32Array.from(written, ({ position }) => position),
      latents: new Float32Array(),
      timesteps: new Float32Array(),
      rows: Int32Array.from(rows, (row) => this.#fed.length - base + row),
      ...hidden(all, base),
    }
  }

  /** The pass was made: what it fed is in cells, and stays. */
  keep(next: Next): void {
    for (const { position, code, role } of next.drafts) if (role === 'settled') this.ahead.set(position, code)
    const { entries } = this.#entering(next)
    for (const entry of entries) {
      this.#fed.push(entry)
      if (!entry.standsIn) this.#known.add(entry.position)
    }
    this.#valid = this.#fed.length
  }

  /** Positions before this one are committed: their codes are where all such are. */
  forgetBefore(committed: number): void {
    for (const position of this.ahead.keys()) if (position < committed) this.ahead.delete(position)
  }

  /** The worker's cells are lost. */
  forget(): void {
    this.#valid = 0
  }

  /** What was not fed before, and [drafts + 1] its rows: the last entry of what is committed, and of each draft. */
  #entering({ model, tokens, committed, drafts }: Next): { entries: Entry[]; rows: number[] } {
    const { layout, image } = model
    const entries: Entry[] = []
    const add = (position: number, id: number, standsIn = false) => entries.push({ position, id, standsIn })
    for (let j = -1; j < committed; j += 1) {
      // the last committed token's output predicts what comes next
      if (this.#known.has(j) && j < committed - 1) continue
      add(j, j < 0 ? ANCHOR : tokens[j])
    }
    const rows = [entries.length - 1]
    for (const { position, code, role } of drafts) {
      if (code !== NO_CODE) add(position, image.first + code, role === 'stand-in')
      const forced = code === NO_CODE ? position : position + 1
      for (let j = forced; j < freeFrom(model, forced); j += 1) if (!this.#known.has(j)) add(j, layout[j])
      rows.push(entries.length - 1)
    }
    return { entries, rows }
  }
}

/** A plan's mask over the entries from `base` on, and over the cells before from the first that one of them does not see. */
function hidden(all: readonly Entry[], base: number): Pick<PassPlan, 'mask' | 'before'> {
  /** [all] The next entry of the same position. */
  const replaced = new Array<number>(all.length).fill(Infinity)
  const last = new Map<number, number>()
  for (const [i, { position }] of all.entries()) {
    replaced[last.get(position) ?? i] = i
    last.set(position, i)
  }
  for (const i of last.values()) replaced[i] = Infinity
  const sees = (i: number, j: number) =>
    j === i || (j < i && all[j].position < all[i].position && replaced[j] > i)
  const entries = [...all.keys()].slice(base)
  const first = entries.reduce((least, i) => {
    const unseen = all.findIndex((_, j) => !sees(i, j) && j < i)
    return unseen < 0 ? least : Math.min(least, unseen)
  }, all.length)
  if (first === all.length) return {}
  const start = Math.min(first, base)
  const stride = Math.ceil((all.length - start) / 8)
  const mask = new Uint8Array(entries.length * stride)
  for (const i of entries) {
    for (let j = start; j <= i; j += 1) {
      if (sees(i, j)) mask[(i - base) * stride + ((j - start) >> 3)] |= 1 << ((j - start) & 7)
    }
  }
  return { mask, ...(start < base && { before: base - start }) }
}
