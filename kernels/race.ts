// The Gumbel argmax of a row, decided without probabilities.
import { kthLargest, maximum, rankOf, tiesOf } from './row'

/** Scores closer than this are left to exact arithmetic: rounding makes no score wrong by a tenth of it. */
const MARGIN: f32 = 1e-4

/** Nothing can be said: scores too close, or no distribution. */
const UNDECIDED: i32 = -1

/**
 * `argmax row * scale + gumbels` among the `k` largest of the row (of equal ones the first; 0: among all).
 * `scores` [count] and `scratch` [256] are written to.
 */
export function race(
  row: usize,
  gumbels: usize,
  count: i32,
  scale: f32,
  k: i32,
  scores: usize,
  scratch: usize,
): i32 {
  const top = maximum(row, count)
  if (!(abs(top) < Infinity)) return UNDECIDED
  const best = score(row, gumbels, count, top, scale, scores)
  const code = only(scores, count, best)
  if (code < 0 || k === 0 || k >= count || rankOf(row, count, code) < k) return code
  const threshold = kthLargest(row, count, k, top, scratch)
  const within = keep(row, count, threshold, tiesOf(row, count, k, threshold), scores)
  return only(scores, count, within)
}

/** Writes the scores; returns the best. */
function score(row: usize, gumbels: usize, count: i32, top: f32, scale: f32, scores: usize): f32 {
  const tops = f32x4.splat(top)
  const scales = f32x4.splat(scale)
  let a = f32x4.splat(-Infinity)
  let b = a
  for (let i: usize = 0; i < (<usize>count) << 2; i += 32) {
    const x = f32x4.add(f32x4.mul(f32x4.sub(v128.load(row + i), tops), scales), v128.load(gumbels + i))
    const y = f32x4.add(
      f32x4.mul(f32x4.sub(v128.load(row + i, 16), tops), scales),
      v128.load(gumbels + i, 16),
    )
    v128.store(scores + i, x)
    v128.store(scores + i, y, 16)
    a = f32x4.pmax(a, x)
    b = f32x4.pmax(b, y)
  }
  return largestLane(f32x4.pmax(a, b))
}

function largestLane(x: v128): f32 {
  const two = f32x4.pmax(x, v128.shuffle<i32>(x, x, 2, 3, 2, 3))
  return f32x4.extract_lane(f32x4.pmax(two, v128.shuffle<i32>(two, two, 1, 1, 1, 1)), 0)
}

/** The one whose score is `best`; undecided where another comes near it. */
function only(scores: usize, count: i32, best: f32): i32 {
  const limit = f32x4.splat(best - MARGIN)
  let code = UNDECIDED
  for (let i = 0; i < count; i += 16) {
    const at = scores + ((<usize>i) << 2)
    const a = f32x4.ge(v128.load(at), limit)
    const b = f32x4.ge(v128.load(at, 16), limit)
    const c = f32x4.ge(v128.load(at, 32), limit)
    const d = f32x4.ge(v128.load(at, 48), limit)
    if (!v128.any_true(v128.or(v128.or(a, b), v128.or(c, d)))) continue
    const bits =
      i32x4.bitmask(a) | (i32x4.bitmask(b) << 4) | (i32x4.bitmask(c) << 8) | (i32x4.bitmask(d) << 12)
    if (code !== UNDECIDED || (bits & (bits - 1)) !== 0) return UNDECIDED
    code = i + ctz(bits)
  }
  return code
}

/** Takes the scores of all but those above `threshold` and the first `ties` at it; returns the best of what is left. */
function keep(row: usize, count: i32, threshold: f32, ties: i32, scores: usize): f32 {
  const limit = f32x4.splat(threshold)
  const none = f32x4.splat(-Infinity)
  let best = none
  for (let i: usize = 0; i < (<usize>count) << 2; i += 16) {
    const x = v128.load(row + i)
    let kept = f32x4.ge(x, limit)
    const equal = f32x4.eq(x, limit)
    if (v128.any_true(equal)) {
      for (let bits = i32x4.bitmask(equal); bits !== 0; bits &= bits - 1) {
        if (ties-- > 0) continue
        const lane = ctz(bits)
        kept = v128.andnot(kept, i32x4.eq(i32x4(0, 1, 2, 3), i32x4.splat(lane)))
      }
    }
    const score = v128.bitselect(v128.load(scores + i), none, kept)
    v128.store(scores + i, score)
    best = f32x4.pmax(best, score)
  }
  return largestLane(best)
}
