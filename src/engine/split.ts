import { WorkerError } from '../bridge/index.js'
import { LATENT, type PassPlan } from '../decoding/index.js'

/**
 * Cuts a plan into plans of at most `limit` entries that, forwarded one after the other, come to the same: what one
 * wrote is among the cells that the next sees, or its mask hides it. A plan can be cut wherever no entry sees a later one.
 * @throws WorkerError `too-large` where no cut is allowed.
 */
export function splitPlan(plan: PassPlan, limit: number): PassPlan[] {
  const entries = plan.tokens.length
  if (entries <= limit) return [plan]
  const pieces: PassPlan[] = []
  for (let start = 0; start < entries; ) {
    let end = Math.min(start + limit, entries)
    while (end > start && !separates(plan, end)) end--
    if (end === start) throw tooLarge(entries, limit)
    pieces.push(piece(plan, start, end))
    start = end
  }
  return pieces
}

function separates(plan: PassPlan, cut: number): boolean {
  if (plan.mask === undefined) return true
  const entries = plan.tokens.length
  for (let i = 0; i < cut; i++) {
    for (let j = cut; j < entries; j++) if (sees(plan, i, j)) return false
  }
  return true
}

/** Whether a masked plan's entry sees another one, or a cell before the entries: those have negative numbers. */
function sees({ tokens, mask, before = 0 }: PassPlan, entry: number, other: number): boolean {
  if (other < -before) return true
  const bit = before + other
  const stride = Math.ceil((before + tokens.length) / 8)
  return (((mask as Uint8Array)[entry * stride + (bit >> 3)] >> (bit & 7)) & 1) === 1
}

/** The entries `start … end - 1` of a plan, as a plan. */
function piece(plan: PassPlan, start: number, end: number): PassPlan {
  const { base, tokens, positions, latents, timesteps, rows, mask, keep } = plan
  const width = timesteps.length > 0 ? latents.length / timesteps.length : 0
  const latentsBefore = (entry: number) => tokens.subarray(0, entry).filter((id) => id === LATENT).length
  const [from, to] = [latentsBefore(start), latentsBefore(end)]
  return {
    base: base + start,
    tokens: tokens.subarray(start, end),
    positions: positions.subarray(start, end),
    latents: latents.subarray(from * width, to * width),
    timesteps: timesteps.subarray(from, to),
    rows: rows.filter((row) => row >= start && row < end).map((row) => row - start),
    ...(mask && pieceOfMask(plan, start, end)),
    ...(keep && start === 0 && { keep }),
  }
}

/** It says of the piece's entries, and of what is before them from the first that one of them does not see. */
function pieceOfMask(plan: PassPlan, start: number, end: number): Pick<PassPlan, 'mask' | 'before'> {
  const entries = Array.from({ length: end - start }, (_, i) => start + i)
  let first = -(plan.before ?? 0)
  while (first < start && entries.every((i) => sees(plan, i, first))) first++
  const stride = Math.ceil((end - first) / 8)
  const mask = new Uint8Array(entries.length * stride)
  for (const i of entries) {
    for (let j = first; j < end; j++) {
      if (sees(plan, i, j)) mask[(i - start) * stride + ((j - first) >> 3)] |= 1 << ((j - first) & 7)
    }
  }
  return { mask, ...(first < start && { before: start - first }) }
}

function tooLarge(entries: number, limit: number): WorkerError {
  return new WorkerError(
    'too-large',
    `A pass of ${entries} entries, whose visibility allows no cut, exceeds the ${limit} that the worker takes at once.`,
    'Use a smaller window or tree.',
  )
}
