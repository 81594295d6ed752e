import { WorkerError } from '../bridge/index.js'
import { LATENT, type PassPlan } from '../decoding/index.js'

/**
 * Cuts a plan into plans of at most `limit` entries that, forwarded one after the other, come to the same: what one
 * wrote is among the cells that the next sees. A chain can be cut anywhere; a masked plan only where every later entry
 * sees every earlier one, and no earlier one a later.
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

function separates({ tokens, mask }: PassPlan, cut: number): boolean {
  if (mask === undefined) return true
  const entries = tokens.length
  for (let i = 0; i < entries; i++) {
    const [from, to] = i < cut ? [cut, entries] : [0, cut]
    for (let j = from; j < to; j++) if (sees(mask, entries, i, j) !== i >= cut) return false
  }
  return true
}

function sees(mask: Uint8Array, entries: number, i: number, j: number): boolean {
  return ((mask[i * Math.ceil(entries / 8) + (j >> 3)] >> (j & 7)) & 1) === 1
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
    ...(mask && { mask: pieceOfMask(mask, tokens.length, start, end) }),
    ...(keep && start === 0 && { keep }),
  }
}

function pieceOfMask(mask: Uint8Array, entries: number, start: number, end: number): Uint8Array {
  const stride = Math.ceil((end - start) / 8)
  const bits = new Uint8Array((end - start) * stride)
  for (let i = start; i < end; i++) {
    for (let j = start; j < end; j++) {
      if (sees(mask, entries, i, j)) bits[(i - start) * stride + ((j - start) >> 3)] |= 1 << ((j - start) & 7)
    }
  }
  return bits
}

function tooLarge(entries: number, limit: number): WorkerError {
  return new WorkerError(
    'too-large',
    `A pass of ${entries} entries, whose visibility allows no cut, exceeds the ${limit} that the worker takes at once.`,
    'Use a smaller window or tree.',
  )
}
