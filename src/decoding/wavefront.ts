import type { Draft } from './draft.js'
import type { Draw } from './draw.js'
import { freeFrom } from './plan.js'
import type { DecodingPolicy, ImageState, Pass } from './policy.js'
import { checkStarts, complete, standIn, underWay } from './rows.js'

/** The pieces of a policy that decodes a picture in a wave front. */
export interface WavefrontPieces {
  readonly name: string
  /** How many codes the row above must have when a row starts (or all of its, if it has fewer): 1 or more. */
  readonly lag: number
  /** How each row's next code is drawn. */
  readonly draw: Draw
}

/**
 * Composes a policy that draws the next code of every row under way in each pass, as ZipAR's official code does (arXiv
 * 2412.04062). Each code is fed once, in the pass after it was drawn, and its keys stay as they are then: they have not
 * seen the codes of the rows above that were open. Relaxed.
 *
 * A row starts behind the forced tokens between the rows (a new line). Where there are none, it starts behind a copy of the
 * code above the missing one (`standIn`), which stays until that one is fed; the second row then waits for the whole first,
 * since nothing is above to copy.
 *
 * @throws PolicyError where `lag` makes no sense.
 */
export function wavefront({ name, lag, draw }: WavefrontPieces): DecodingPolicy {
  const starts = { rows: Infinity, lag, firstWhole: true }
  checkStarts(name, starts)
  /** What a pass drew: verification and refinement both ask for it. */
  const passes = new WeakMap<Pass, ReadonlyMap<number, number>>()
  return {
    name,
    noisy: false,
    exact: false,
    keepsKeys: true,
    codebook: draw.codebook === true,

    schedule(image) {
      const { model, committed, drafts } = image
      const rows = underWay(model, committed, decided(image, drafts), starts)
      const [twoAbove, above, last] = [rows.at(-3), rows.at(-2), rows.at(-1)]
      const early = last?.settled === 0 && above !== undefined && !complete(above)
      return early ? [...drafts, standIn(above, twoAbove, image)] : [...drafts]
    },

    verify(pass, image) {
      const known = new Map([...decided(image, pass.drafts), ...drawn(pass, image)])
      const codes: number[] = []
      let position = image.committed
      for (let code = known.get(position); code !== undefined; code = known.get(position)) {
        codes.push(code)
        position = freeFrom(pass.model, position + 1)
      }
      return { codes, held: [] }
    },

    refine(pass, image) {
      const open = [...drawn(pass, image)].filter(([position]) => position >= image.committed)
      return open.map(([position, code]) => ({
        position,
        code,
        proposal: { kind: 'one-hot' },
        noise: null,
        role: 'settled',
      }))
    },
  }

  /** [rows under way] The code that each draws, by position. */
  function drawn(pass: Pass, image: ImageState): ReadonlyMap<number, number> {
    const known = passes.get(pass)
    if (known !== undefined) return known
    const { model, drafts } = pass
    /** By the position that each predicts. */
    const blanks = new Map(
      [-1, ...drafts.keys()].map((i) => pass.behind(i)).map((blank) => [blank.position, blank]),
    )
    const codes = new Map<number, number>()
    const front = pass.behind(-1).position
    for (const { positions, settled } of underWay(model, front, decided(image, drafts), starts)) {
      const blank = blanks.get(positions[settled])
      if (blank !== undefined) codes.set(blank.position, draw.draw(blank, pass).code)
    }
    passes.set(pass, codes)
    return codes
  }
}

/** Codes behind the front that were drawn before, by position. */
function decided({ ahead }: ImageState, drafts: readonly Draft[]): ReadonlyMap<number, number> {
  const settled = drafts.filter(({ role }) => role === 'settled')
  return new Map([...ahead, ...settled.map(({ position, code }) => [position, code] as const)])
}
