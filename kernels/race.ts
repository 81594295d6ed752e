// The Gumbel argmax of a row, decided without probabilities.
import { countAbove, largestLane, maximum, rankOf } from './row'

/** Scores closer than this are left to exact arithmetic: rounding makes no score wrong by a tenth of it. */
const MARGIN: f32 = 1e-4

/** Nothing can be said: scores too close, or no distribution. */
const UNDECIDED: i32 = -1

/** `argmax row * scale + gumbels` among the `k` largest of the row (of equal ones the first; 0: among all). */
export function race(row: usize, gumbels: usize, count: i32, scale: f32, k: i32): i32 {
  const top = maximum(row, count)
  if (!(abs(top) < Infinity)) return UNDECIDED
  let limit: f32 = -Infinity
  while (true) {
    const code = bestAbove(limit, row, gumbels, count, top, scale)
    if (code < 0 || k === 0 || k >= count || rankOf(row, count, code) < k) return code
    // With one that is not among the k largest, all go that are not larger. Few turns: about half of the rest each time.
    limit = load<f32>(row + ((<usize>code) << 2))
    if (countAbove(row, count, limit) < k) return UNDECIDED
  }
}

/** Of those above `limit`, the one with the best score; undecided where another comes near it. */
function bestAbove(limit: f32, row: usize, gumbels: usize, count: i32, top: f32, scale: f32): i32 {
  const limits = f32x4.splat(limit)
  const tops = f32x4.splat(top)
  const scales = f32x4.splat(scale)
  const none = f32x4.splat(-Infinity)
  // Of each lane of two vectors: the best score, the second best, and where the best is.
  let firstA = none
  let firstB = none
  let secondA = none
  let secondB = none
  let whereA = i32x4.splat(-1)
  let whereB = i32x4.splat(-1)
  let here = i32x4(0, 1, 2, 3)
  for (let i: usize = 0; i < (<usize>count) << 2; i += 32) {
    const a = v128.load(row + i)
    const b = v128.load(row + i, 16)
    const noisyA = f32x4.add(f32x4.mul(f32x4.sub(a, tops), scales), v128.load(gumbels + i))
    const noisyB = f32x4.add(f32x4.mul(f32x4.sub(b, tops), scales), v128.load(gumbels + i, 16))
    const scoreA = v128.bitselect(noisyA, none, f32x4.gt(a, limits))
    const scoreB = v128.bitselect(noisyB, none, f32x4.gt(b, limits))
    secondA = f32x4.pmax(secondA, f32x4.pmin(firstA, scoreA))
    secondB = f32x4.pmax(secondB, f32x4.pmin(firstB, scoreB))
    whereA = v128.bitselect(here, whereA, f32x4.gt(scoreA, firstA))
    whereB = v128.bitselect(here, whereB, f32x4.gt(scoreB, firstB))
    firstA = f32x4.pmax(firstA, scoreA)
    firstB = f32x4.pmax(firstB, scoreB)
    here = i32x4.add(here, i32x4.splat(8))
  }
  const better = f32x4.gt(firstB, firstA)
  const first = f32x4.pmax(firstA, firstB)
  const where = v128.bitselect(i32x4.add(whereB, i32x4.splat(4)), whereA, better)
  const second = f32x4.pmax(f32x4.pmax(secondA, secondB), f32x4.pmin(firstA, firstB))
  const best = largestLane(first)
  const near = f32x4.splat(best - MARGIN)
  const winners = i32x4.bitmask(f32x4.ge(first, near))
  if ((winners & (winners - 1)) !== 0 || v128.any_true(f32x4.ge(second, near))) return UNDECIDED
  if (winners === 0) return UNDECIDED
  if (winners === 1) return i32x4.extract_lane(where, 0)
  if (winners === 2) return i32x4.extract_lane(where, 1)
  return winners === 4 ? i32x4.extract_lane(where, 2) : i32x4.extract_lane(where, 3)
}
