/** Recorded trajectories as the viewer shows them: by cells of the grid, with pictures. */
import type { Session } from '../engine/index.js'
import type { ImageKey, RecordedTrajectory } from '../experiment/index.js'
import type { Film, Frame, ShownPass, ShownTrajectory, Viewer } from './page.js'
import type { Run } from './run.js'
import { settingLabel } from './settings.js'
import { difference, pngUrl, thumbnail } from './thumbnail.js'

/** What the viewer needs of a model. */
export type Decoder = Pick<Session, 'decode'> & {
  readonly card: { readonly name: string; readonly hash: string }
  readonly model: { readonly layout: Int32Array; readonly image: { readonly first: number } }
}

/** So many pictures at most, or two of each trajectory: a few KiB each. */
const PICTURES = 600

/**
 * The trajectories whose results are in the run; null where there are none.
 * @param onPicture told how many pictures are made, of how many.
 */
export async function showTrajectories(
  { trajectories, results }: Pick<Run, 'trajectories' | 'results'>,
  decoder: Decoder,
  onPicture: (done: number, all: number) => void,
): Promise<Viewer | null> {
  const known = trajectories.flatMap((trajectory) => {
    const result = results.find((other) => isSame(other, trajectory))
    return result ? [{ trajectory, result }] : []
  })
  if (known.length === 0) return null
  known.sort((a, b) => results.indexOf(a.result) - results.indexOf(b.result))
  const kept = known.map(({ trajectory }) =>
    evenly(trajectory.passes.length, Math.max(2, Math.floor(PICTURES / known.length))),
  )
  const all = kept.reduce((sum, { length }) => sum + length, 0)
  const shown: ShownTrajectory[] = []
  let done = 0
  for (const [i, { trajectory, result }] of known.entries()) {
    const film = await shoot(trajectory, kept[i], decoder, () => onPicture(++done, all))
    shown.push({
      spec: trajectory.spec,
      exact: result.exact,
      image: `${trajectory.prompt} (${settingLabel(result)}, seed ${trajectory.seed}, image ${trajectory.index})`,
      ...byCells(trajectory, decoder.model),
      film,
    })
  }
  return { grid: known[0].trajectory.grid, trajectories: shown }
}

const isSame = (a: ImageKey, b: RecordedTrajectory): boolean =>
  a.spec === b.spec &&
  a.guidance === b.guidance &&
  a.prompt === b.prompt &&
  a.seed === b.seed &&
  a.index === b.index

/** At most `count` of the numbers below `length`, evenly spaced, the last always among them. */
export function evenly(length: number, count: number): number[] {
  if (length <= count) return [...Array(length).keys()]
  const step = (length - 1) / Math.max(1, count - 1)
  return Array.from({ length: count }, (_, i) => length - 1 - Math.round((count - 1 - i) * step))
}

/** A trajectory without what the layout forces: only free positions are cells of the grid. */
export function byCells(
  { tokens, passes }: Pick<RecordedTrajectory, 'tokens' | 'passes'>,
  { layout, image }: Decoder['model'],
): { codes: number[]; passes: ShownPass[] } {
  const isFree = (position: number) => layout[position] < 0
  const cellsBelow = (position: number) => layout.subarray(0, position).filter((id) => id < 0).length
  const codeOf = (id: number) => (id < 0 ? -1 : id - image.first)
  return {
    codes: tokens.filter((_, position) => isFree(position)).map(codeOf),
    passes: passes.map(({ committedBefore, committed, accepted, entries, windowStart, drafts, levels }) => {
      const inGrid = (_: number, i: number) => isFree(windowStart + i)
      return {
        before: cellsBelow(committedBefore),
        after: cellsBelow(committed),
        accepted,
        entries,
        drafts: drafts.filter(inGrid).map(codeOf),
        levels: levels.filter(inGrid),
      }
    }),
  }
}

/**
 * The pictures that passes' tokens decode to: what is final after the pass, and behind that the drafts it was fed.
 * Where there is no draft they are transparent.
 */
async function shoot(
  trajectory: RecordedTrajectory,
  passes: readonly number[],
  { decode, model }: Decoder,
  onPicture: () => void,
): Promise<Film> {
  const { grid, tokens } = trajectory
  const [last] = await decode([Int32Array.from(tokens)])
  const whole = thumbnail(last, new Array(grid.rows * grid.columns).fill(true), grid)
  const frames: Frame[] = []
  for (const pass of passes) {
    const { ids, held } = heldTokens(trajectory, pass, model.layout)
    const [picture] = await decode([ids])
    frames.push({ pass, ...difference(thumbnail(picture, held, grid), whole) })
    onPicture()
  }
  return { width: whole.width, height: whole.height, whole: pngUrl(whole), frames }
}

/**
 * What every position holds in a pass, [length] ids, and which cells of the grid hold anything. Those that do not are
 * given the code of the last that does, since the picture's decoder wants one everywhere.
 */
export function heldTokens(
  { tokens, passes }: Pick<RecordedTrajectory, 'tokens' | 'passes'>,
  pass: number,
  layout: Int32Array,
): { ids: Int32Array; held: boolean[] } {
  const { committed, windowStart, drafts } = passes[pass]
  const held: boolean[] = []
  let last = tokens.find((_, position) => layout[position] < 0)!
  const ids = tokens.map((final, position) => {
    if (layout[position] >= 0) return final
    const id = position < committed ? final : (drafts[position - windowStart] ?? -1)
    held.push(id >= 0)
    if (id >= 0) last = id
    return last
  })
  return { ids: Int32Array.from(ids), held }
}
