import { type Draft, NO_CODE } from './draft.js'
import type { Model } from './model.js'
import { type ImageState, PolicyError } from './policy.js'

/** A row of the picture that is under way. */
export interface Row {
  /** [columns] Its free positions. */
  readonly positions: readonly number[]
  /** How many of them are decided, from the left. */
  readonly settled: number
  /** How many may be, behind this pass: none that the row above has not decided before. */
  readonly reach: number
}

/** When rows start. */
export interface RowStarts {
  /** How many rows may be under way, the front's among them; `Infinity`: as many as `lag` lets start. */
  readonly rows: number
  /** How many codes the row above must have when a row starts (or all of its, if it has fewer): 1 or more. */
  readonly lag: number
  /** Whether a second row that has nothing to start from waits until the first is complete. Absent: it does not. */
  readonly firstWhole?: boolean
}

export const complete = ({ positions, settled }: Row): boolean => settled === positions.length

/**
 * The rows from the front's on that have started or start now. `decided` has positions behind the front that are decided,
 * though others before them are not.
 */
export function underWay(
  model: Model,
  front: number,
  decided: { has(position: number): boolean },
  { rows, lag, firstWhole = false }: RowStarts,
): Row[] {
  const started: Row[] = []
  for (const [number, positions] of picture(model).entries()) {
    if (positions[positions.length - 1] < front) continue
    const open = positions.findIndex((position) => position >= front && !decided.has(position))
    const settled = open < 0 ? positions.length : open
    const above = started.at(-1)
    const wanted = above && (firstWhole && number === 1 && !endsForced(model, above) ? Infinity : lag)
    if (started.length === rows) break
    if (above && settled === 0 && above.settled < Math.min(wanted as number, above.positions.length)) break
    const reach = above === undefined || complete(above) ? positions.length : above.settled
    started.push({ positions, settled, reach: Math.min(reach, positions.length) })
  }
  return started
}

/** Whether forced tokens, such as a new line, follow the row. */
function endsForced({ layout }: Model, { positions }: Row): boolean {
  return layout[positions[positions.length - 1] + 1] >= 0
}

/** [rows][columns] The free positions. */
function picture({ layout, rowLength }: Model): number[][] {
  const rows: number[][] = []
  const first = layout.indexOf(-1)
  for (const [position, id] of layout.entries()) {
    if (id >= 0) continue
    const row = Math.floor((position - first) / rowLength)
    rows[row] ??= []
    rows[row].push(position)
  }
  return rows.filter(Boolean)
}

/**
 * What stands for the end of the row above one that starts: the forced tokens behind it, without its last code; where none
 * are there, a copy of the code above that, or of the last one that is known where there is none above.
 */
export function standIn(above: Row, twoAbove: Row | undefined, image: ImageState): Draft {
  const { model } = image
  const position = above.positions[above.positions.length - 1]
  const entry = { noise: null, role: 'stand-in' } as const
  if (endsForced(model, above)) return { position: position + 1, code: NO_CODE, proposal: null, ...entry }
  const higher = position - model.rowLength
  const known = model.layout[higher] === -1 && (twoAbove === undefined || complete(twoAbove))
  const code = codeAt(known ? higher : lastOf(twoAbove ?? above), image)
  return { position, code, proposal: { kind: 'one-hot' }, ...entry }
}

/** Of a position that is final, or else decided. */
function codeAt(position: number, { tokens, drafts, ahead, model, committed }: ImageState): number {
  if (position < committed) return tokens[position] - model.image.first
  return ahead.get(position) ?? (drafts.find((draft) => draft.position === position) as Draft).code
}

const lastOf = ({ positions, settled }: Row): number => positions[settled - 1]

/** @throws PolicyError where a number makes no sense. */
export function checkStarts(name: string, { rows, lag }: RowStarts): void {
  for (const [what, value] of [
    ['rows', rows],
    ['lag', lag],
  ] as const) {
    const whole = Number.isInteger(value) || (what === 'rows' && value === Infinity)
    if (whole && value >= 1) continue
    throw new PolicyError(`${what} of ${name} is ${value}.`, 'Give a whole number, 1 or more.')
  }
}
