import { type Draft, parentOf } from './draft.js'
import type { Draw } from './draw.js'
import type { Initializer } from './initializer.js'
import { freeFrom } from './plan.js'
import { type DecodingPolicy, type Pass, PolicyError } from './policy.js'
import { checkStarts, complete, type Row, type RowStarts, standIn, underWay } from './rows.js'

/** The pieces of a policy that decodes several rows of the picture at once. */
export interface RowPieces extends Omit<RowStarts, 'firstWhole'> {
  readonly name: string
  /** How many drafts a row carries; 0: one code for each row and pass. */
  readonly window: number
  /** What enters a row's window. */
  readonly initialize: Initializer
  /** How a row's draft is accepted or corrected. */
  readonly verify: Draw
  /** How the drafts behind a row's first rejection are drawn anew. */
  readonly refine: Draw
}

/**
 * Composes a policy whose rows run side by side: each from the left, each verified for itself, a row never past the one
 * above. Relaxed, since a code is drawn before those that precede it in raster order are known.
 *
 * Codes become final in raster order only. What a row decides before that is fed again in every pass as a settled draft,
 * until the row above is complete. Drafts are seen within their row only (the row-causal view of PJD, arXiv 2606.05703):
 * an entry sees what is settled of its row and those above, then its row's drafts before it. Where a row starts before
 * the one above is complete, it starts behind what stands for that one's end (`standIn`), in this pass and for this row only.
 * Keys are computed anew as more of the rows above is known, and what is final has sequential decoding's; `wavefront` keeps
 * those that an entry first had.
 *
 * @throws PolicyError where a number makes no sense, or drafts would be noisy.
 */
export function rowParallel(pieces: RowPieces): DecodingPolicy {
  checkPieces(pieces)
  const { name, rows, lag, window, initialize, verify, refine } = pieces
  const starts = { rows, lag }
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
      for (const row of underWay(image.model, image.committed, settledIn(image.drafts), starts)) {
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
    for (const { positions, settled, reach } of underWay(
      model,
      pass.behind(-1).position,
      settledIn(drafts),
      starts,
    )) {
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

/** The positions that are decided, though others before them are not. */
function settledIn(drafts: readonly Draft[]): ReadonlySet<number> {
  return new Set(drafts.flatMap(({ position, role }) => (role === 'settled' ? [position] : [])))
}

function checkPieces({ name, rows, lag, window, initialize }: RowPieces): void {
  checkStarts(name, { rows, lag })
  if (!(Number.isInteger(window) && window >= 0)) {
    throw new PolicyError(`window of ${name} is ${window}.`, 'Give a whole number, 0 or more.')
  }
  if (initialize.noisy) {
    throw new PolicyError(
      `${name} starts from ${initialize.name} latents, and rows that run side by side hold codes only.`,
      'Start from codes: init random, left, likeliest, above, vertical or repeat.',
    )
  }
}
