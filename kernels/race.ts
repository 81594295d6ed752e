// The Gumbel argmax of a row, decided without probabilities.
import { countAbove, largestLane, rankOf } from './row'

/** Scores closer than this are left to exact arithmetic: rounding makes no score wrong by a tenth of it. */
const MARGIN: f32 = 1e-4

/** Nothing can be said: scores too close, or no distribution. */
const UNDECIDED: i32 = -1

/** Bytes of a block of numbers, of which the best scores are kept so that the best one of all is found again. */
const BLOCK: usize = 1024

/**
 * `argmax row * scale + gumbels` among the `k` largest of the row (of equal ones the first; 0: among all), whose largest is
 * `top`. Changes the row; `bests` [count / 16] is written to.
 */
export function race(
  row: usize,
  gumbels: usize,
  count: i32,
  top: f32,
  scale: f32,
  k: i32,
  bests: usize,
): i32 {
  if (!(abs(top) < Infinity)) return UNDECIDED
  while (true) {
    const code = best(row, gumbels, count, top, scale, bests)
    if (code < 0 || k === 0 || k >= count || rankOf(row, count, code) < k) return code
    // With one that is not among the k largest, all go that are not larger. Few turns: about half of the rest each time.
    const limit = load<f32>(row + ((<usize>code) << 2))
    if (countAbove(row, count, limit) < k) return UNDECIDED
    removeTo(limit, row, count)
  }
}

/** Scores of four numbers: of all the same is left out, so that what is close to the best is precise. */
function scores(row: usize, gumbels: usize, tops: v128, scales: v128): v128 {
  return f32x4.add(f32x4.mul(f32x4.sub(v128.load(row), tops), scales), v128.load(gumbels))
}

/** The one with the best score; undecided where another comes near it. */
function best(row: usize, gumbels: usize, count: i32, top: f32, scale: f32, bests: usize): i32 {
  const bytes = (<usize>count) << 2
  const tops = f32x4.splat(top)
  const scales = f32x4.splat(scale)
  const none = f32x4.splat(-Infinity)
  let all = none
  for (let start: usize = 0; start < bytes; start += BLOCK) {
    let a = none
    let b = none
    const end = min(start + BLOCK, bytes)
    for (let i = start; i < end; i += 32) {
      a = f32x4.pmax(a, scores(row + i, gumbels + i, tops, scales))
      b = f32x4.pmax(b, scores(row + i + 16, gumbels + i + 16, tops, scales))
    }
    const both = f32x4.pmax(a, b)
    v128.store(bests + start / (BLOCK / 16), both)
    all = f32x4.pmax(all, both)
  }
  const near = f32x4.splat(largestLane(all) - MARGIN)
  let found = UNDECIDED
  for (let start: usize = 0; start < bytes; start += BLOCK) {
    if (!v128.any_true(f32x4.ge(v128.load(bests + start / (BLOCK / 16)), near))) continue
    const end = min(start + BLOCK, bytes)
    for (let i = start; i < end; i += 16) {
      const lanes = i32x4.bitmask(f32x4.ge(scores(row + i, gumbels + i, tops, scales), near))
      if (lanes === 0) continue
      if (found !== UNDECIDED || (lanes & (lanes - 1)) !== 0) return UNDECIDED
      found = <i32>(i >> 2) + ctz(lanes)
    }
  }
  return found
}

/** Leaves only those above `limit`. */
function removeTo(limit: f32, row: usize, count: i32): void {
  const limits = f32x4.splat(limit)
  for (let i: usize = 0; i < (<usize>count) << 2; i += 16) {
    const x = v128.load(row + i)
    v128.store(row + i, v128.bitselect(x, f32x4.splat(-Infinity), f32x4.gt(x, limits)))
  }
}
