import { type Draft, NO_CODE, parentOf } from './draft.js'
import type { Model } from './model.js'
import { ANCHOR, LATENT, type PassPlan } from './pass.js'

/** The drafts of a pass, and where they begin. */
export interface FedDrafts {
  readonly model: Model
  readonly committed: number
  /** Valid cells, the anchor's included, `keep` copied. */
  readonly valid: number
  readonly drafts: readonly Draft[]
}

/** What an image has at the beginning of a pass. */
export interface Fed extends FedDrafts {
  /** [length] ids, final below `committed`. */
  readonly tokens: Int32Array
  /** Cells that are to be copied to the end of the valid ones. */
  readonly keep: Int32Array
  /** Room for so many numbers of latents. */
  readonly room: (length: number) => Float32Array
}

/**
 * The pass that feeds, behind the first `valid` cells, what is committed and not in a cell (always at least the last
 * committed token), then each draft with the forced tokens that follow it. An entry sees what is committed, and its
 * draft's ancestors. Rows: what predicts the position behind the committed ones, then behind each draft.
 */
export function planPass(fed: Fed): PassPlan {
  const { model, tokens, valid, keep, drafts, room } = fed
  const { layout, image, embeddings } = model
  const rows = rowsOf(fed)
  const entries = rows[drafts.length] + 1
  const ids = new Int32Array(entries)
  const positions = new Int32Array(entries)
  for (let i = 0; i <= rows[0]; i += 1) {
    positions[i] = valid - 1 + i
    ids[i] = positions[i] < 0 ? ANCHOR : tokens[positions[i]]
  }
  drafts.forEach(({ position, code, noise }, i) => {
    const first = rows[i] + 1
    for (let entry = first; entry <= rows[i + 1]; entry += 1) {
      positions[entry] = position + entry - first
      ids[entry] = layout[positions[entry]]
    }
    if (noise !== null) ids[first] = LATENT
    else if (code !== NO_CODE) ids[first] = image.first + code
  })
  const noises = drafts.flatMap(({ noise }) => (noise === null ? [] : [noise]))
  const latents = room(noises.length * embeddings.width)
  noises.forEach(({ latent }, i) => {
    latents.set(latent, i * embeddings.width)
  })
  const branching = drafts.some((_, i) => parentOf(drafts, i) !== i - 1)
  return {
    base: valid,
    tokens: ids,
    positions,
    latents,
    timesteps: Float32Array.from(noises, ({ timestep }) => timestep),
    rows,
    ...(branching && { mask: maskOf(drafts, rows, entries) }),
    ...(keep.length > 0 && { keep }),
  }
}

/** [drafts + 1] The last entry of what is committed, then of each draft with the forced tokens that follow it. */
export function rowsOf({ model, committed, valid, drafts }: FedDrafts): Int32Array {
  const rows = new Int32Array(drafts.length + 1)
  rows[0] = committed - valid
  drafts.forEach(({ position }, i) => {
    rows[i + 1] = rows[i] + freeFrom(model, position + 1) - position
  })
  return rows
}

/** The first free position at or behind `position`; the length of the layout where there is none. */
export function freeFrom({ layout }: Model, position: number): number {
  let j = position
  while (layout[j] >= 0) j += 1
  return j
}

/** Each entry sees the entry before it of its own draft, or its draft's parent's last one, and all that one sees. */
function maskOf(drafts: readonly Draft[], rows: Int32Array, entries: number): Uint8Array {
  const stride = Math.ceil(entries / 8)
  const mask = new Uint8Array(entries * stride)
  const see = (entry: number, before: number) => {
    if (before >= 0) mask.copyWithin(entry * stride, before * stride, (before + 1) * stride)
    mask[entry * stride + (entry >> 3)] |= 1 << (entry & 7)
  }
  for (let entry = 0; entry <= rows[0]; entry += 1) see(entry, entry - 1)
  drafts.forEach((_, i) => {
    see(rows[i] + 1, rows[parentOf(drafts, i) + 1])
    for (let entry = rows[i] + 2; entry <= rows[i + 1]; entry += 1) see(entry, entry - 1)
  })
  return mask
}
