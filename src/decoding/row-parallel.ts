import { type Draft, NO_CODE, parentOf } from './draft.js'
import type { Draw } from './draw.js'
import type { Initializer } from './initializer.js'
import type { Model } from './model.js'
import { freeFrom } from './plan.js'
import { type DecodingPolicy, type ImageState, type Pass, PolicyError } from './policy.js'

/** The pieces of a policy that decodes several rows of the picture at once. */
export interface RowPieces {
  readonly name: string
  /** How many rows may be under way, the front's among them; `Infinity`: as many as `lag` lets start. */
  readonly rows: number
  /** How many codes the row above must have when a row starts (or all of its, if it has fewer): 1 or more. */
  readonly lag: number
  /** How many drafts a row carries; 0: one code for each row and pass. */
  readonly window: number
  /** What enters a row's window. */
  readonly initialize: Initializer
  /** How a row's draft is accepted or corrected. */
  readonly verify: Draw
  /** How the drafts behind a row's first rejection are drawn anew. */
  readonly refine: Draw
}

/** A row of the picture that is under way. */
interface Row {
  /** [columns] Its free positions. */
  readonly positions: readonly number[]
  /** How many of them are decided, from the left. */
  readonly settled: number
  /** How many may be, behind this pass: none that the row above has not decided before. */
  readonly reach: number
}

/**
 * Composes a policy whose rows run side by side: each from the left, each verified for itself, a row never past the one
 * above. Relaxed, since a code is drawn before those that precede it in raster order are known.
 *
 * Codes become final in raster order only. What a row decides before that is fed again in every pass as a settled draft,
 * until the row above is complete. Drafts are seen within their row only (the row-causal view of PJD, arXiv 2606.05703):
 * an entry sees what is settled of its row and those above, then its row's drafts before it. Where a row starts before
 * the one above is complete, it starts as in ZipAR's official code (arXiv 2412.04062): behind the forced tokens between the
 * two (a new line), or where there are none, behind a copy of the code above the missing one, in this pass and for this row
 * only. That code keeps the keys that an entry first had, and feeds one entry a row; here, keys are computed anew as more
 * of the rows above is known, and what is final has sequential decoding's.
 *
 * @throws PolicyError where a number makes no sense, or drafts would be noisy.
 */
export function rowParallel(pieces: RowPieces): DecodingPolicy {
  checkPieces(pieces)
  const { name, window, initialize, verify, refine } = pieces
  /** What a pass decided: verification and refinement both ask for it. */
  const decisions = new WeakMap<Pass, Map<number, number>>()
  return {
    name,
    noisy: false,
    exact: false,
    codebook: [verify, refine].some(({ codebook }) => codebook === true),

    schedule(image) {
      const held = new Map(image.drafts.map((draft) => [draft.position, draft]))
      const drafts: Draft[] = []
      const follow = (parent: number, draft: Draft) => drafts.push({ ...draft, parent }) - 1
      let trunk = -1
      let twoAbove: Row | undefined
      let above: Row | undefined
      for (const row of underWay(image.model, image.committed, image.drafts, pieces)) {
        for (const position of row.positions.slice(0, row.settled)) {
          const settled = held.get(position)
          if (settled !== undefined) trunk = follow(trunk, settled)
        }
        let last = trunk
        if (row.settled === 0 && above && !complete(above))
          last = follow(trunk, standIn(above, twoAbove, image))
        // The last place that is within reach is for the code that the last draft's entry predicts.
        const end = Math.min(row.settled + window, row.reach - 1)
        for (const position of row.positions.slice(row.settled, end)) {
          last = follow(last, held.get(position) ?? initialize.start(position, image, drafts))
        }
        twoAbove = above
        above = row
      }
      return drafts
    },

    verify(pass) {
      const decided = decide(pass)
      const codes: number[] = []
      let position = pass.behind(-1).position
      for (let code = decided.get(position); code !== undefined; code = decided.get(position)) {
        codes.push(code)
        position = freeFrom(pass.model, position + 1)
      }
      // Of these, the drafts of the front's row saw all that is before them.
      const held: number[] = []
      for (const [i, draft] of pass.drafts.entries()) {
        const next = draft.role === undefined && parentOf(pass.drafts, i) === (held.at(-1) ?? -1)
        if (next && decided.get(draft.position) === draft.code) held.push(i)
      }
      return { codes, held }
    },

    refine(pass, image) {
      const decided = decide(pass)
      const settled = [...decided].map(
        ([position, code]): Draft => ({
          position,
          code,
          proposal: { kind: 'one-hot' },
          noise: null,
          role: 'settled',
        }),
      )
      const refused = pass.drafts.filter(({ position, role }) => role === undefined && !decided.has(position))
      const redrawn = refused.map((draft): Draft => {
        const { code, proposal } = refine.draw(draft, pass)
        return { position: draft.position, code, proposal, noise: null }
      })
      // The image's last code cannot be fed: where not all before it is final, it is drawn again.
      const last = image.model.layout.lastIndexOf(-1)
      return [...settled, ...redrawn].filter(({ position }) => position >= image.committed && position < last)
    },
  }

  /** Codes by position: those settled, and those that each row draws, from its left to the first that it refuses. */
  function decide(pass: Pass): Map<number, number> {
    const known = decisions.get(pass)
    if (known !== undefined) return known
    const { model, drafts } = pass
    const decided = new Map(
      drafts.flatMap((draft) => (draft.role === 'settled' ? [[draft.position, draft.code]] : [])),
    )
    const places = new Map(
      drafts.flatMap(({ position, role }, i) => (role === undefined ? [[position, i]] : [])),
    )
    for (const { positions, settled, reach } of underWay(model, pass.behind(-1).position, drafts, pieces)) {
      let node = drafts.findIndex((_, i) => pass.behind(i).position === positions[settled])
      for (const position of positions.slice(settled, reach)) {
        const place = places.get(position)
        const draft = place === undefined ? pass.behind(node) : drafts[place]
        const { code } = verify.draw(draft, pass)
        decided.set(position, code)
        if (place === undefined || code !== draft.code) break
        node = place
      }
    }
    decisions.set(pass, decided)
    return decided
  }
}

const complete = ({ positions, settled }: Row): boolean => settled === positions.length

/** The rows from the front's on that have started or start now. */
function underWay(model: Model, front: number, drafts: readonly Draft[], { rows, lag }: RowPieces): Row[] {
  const ahead = new Set(drafts.flatMap(({ position, role }) => (role === 'settled' ? [position] : [])))
  const started: Row[] = []
  for (const positions of picture(model)) {
    if (positions[positions.length - 1] < front) continue
    const open = positions.findIndex((position) => position >= front && !ahead.has(position))
    const settled = open < 0 ? positions.length : open
    const above = started.at(-1)
    const wanted = above && Math.min(lag, above.positions.length)
    if (started.length === rows || (above && settled === 0 && above.settled < (wanted as number))) break
    const reach = above === undefined || complete(above) ? positions.length : above.settled
    started.push({ positions, settled, reach: Math.min(reach, positions.length) })
  }
  return started
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
function standIn(above: Row, twoAbove: Row | undefined, image: ImageState): Draft {
  const { tokens, drafts, model, committed } = image
  const position = above.positions[above.positions.length - 1]
  const entry = { noise: null, role: 'stand-in' } as const
  if (model.layout[position + 1] >= 0) {
    return { position: position + 1, code: NO_CODE, proposal: null, ...entry }
  }
  const higher = position - model.rowLength
  const known = model.layout[higher] === -1 && (twoAbove === undefined || complete(twoAbove))
  const source = known ? higher : lastOf(twoAbove ?? above)
  const code =
    source < committed
      ? tokens[source] - model.image.first
      : (drafts.find((draft) => draft.position === source) as Draft).code
  return { position, code, proposal: { kind: 'one-hot' }, ...entry }
}

const lastOf = ({ positions, settled }: Row): number => positions[settled - 1]

function checkPieces({ name, rows, lag, window, initialize }: RowPieces): void {
  for (const [what, value, least] of [
    ['rows', rows, 1],
    ['lag', lag, 1],
    ['window', window, 0],
  ] as const) {
    const whole = Number.isInteger(value) || (what === 'rows' && value === Infinity)
    if (whole && value >= least) continue
    throw new PolicyError(`${what} of ${name} is ${value}.`, `Give a whole number, ${least} or more.`)
  }
  if (initialize.noisy) {
    throw new PolicyError(
      `${name} starts from ${initialize.name} latents, and rows that run side by side hold codes only.`,
      'Start from codes: init random, left, likeliest, above, vertical or repeat.',
    )
  }
}
