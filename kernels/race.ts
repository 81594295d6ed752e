// The Gumbel argmax of a row, decided without probabilities, and mostly without drawing noise.
import { INFINITE, keyBelow, keys, numberOf, numbersOf } from './keys'
import { countAbove, rankOf, truths } from './row'
import { codesOf, noiseOf, WEAK, weakNoise } from './strong'

/** Scores closer than this are left to exact arithmetic: rounding makes no score wrong by a tenth of it. */
const MARGIN: f32 = 1e-4

/** Nothing can be said: scores too close, or no distribution. */
const UNDECIDED: i32 = -1

/** As many keys are counted, in lanes of sixteen bits. */
const MOST: i32 = 1 << 17

/**
 * `argmax row * scale + noise` among the `k` largest of the row (of equal ones the first; 0: among all), whose largest is
 * `top`, with the noise of a record (`strong`).
 */
export function race(row: usize, record: usize, count: i32, top: f32, scale: f32, k: i32): i32 {
  return raceOf<f32>(row, record, count, top, scale, k)
}

/** The same among halves, which become keys. */
export function raceOfHalves(row: usize, record: usize, count: i32, scale: f32, k: i32): i32 {
  if (count > MOST) return UNDECIDED
  const top = keys(row, count)
  return top === INFINITE ? UNDECIDED : raceOf<i16>(row, record, count, numberOf(top), scale, k)
}

/** Of a row of numbers (f32) or of keys (i16). */
function raceOf<T>(row: usize, record: usize, count: i32, top: f32, scale: f32, k: i32): i32 {
  if (!(abs(top) < Infinity)) return UNDECIDED
  let limit: f32 = -Infinity
  while (true) {
    const code = best<T>(limit, row, record, count, top, scale)
    if (code < 0 || k === 0 || k >= count || rankOf<T>(row, count, code) < k) return code
    // With one that is not among the k largest, all go that are not larger. Few turns: about half of the rest each time.
    const value = load<T>(row + ((<usize>code) << alignof<T>()))
    if (countAbove<T>(row, count, value) < k) return UNDECIDED
    limit = number<T>(value)
  }
}

// What has been found so far.
let winner: i32 = 0
let first: f32 = 0
let second: f32 = 0

/**
 * Of those above `limit`, the one with the best score; undecided where another comes near it. Of scores, what `top` has is
 * taken off, so that those near the best are precise.
 */
function best<T>(limit: f32, row: usize, record: usize, count: i32, top: f32, scale: f32): i32 {
  winner = UNDECIDED
  first = second = -Infinity
  const codes = codesOf(record)
  const noise = noiseOf(record)
  const tops = f32x4.splat(top)
  const scales = f32x4.splat(scale)
  let seconds = f32x4.splat(second)
  for (let i: usize = 0; i < noise - codes; i += 16) {
    const x = four<T>(row, codes + i)
    const scores = f32x4.add(f32x4.mul(f32x4.sub(x, tops), scales), v128.load(noise + i))
    let lanes = i32x4.bitmask(f32x4.gt(scores, seconds))
    if (lanes === 0) continue
    for (; lanes !== 0; lanes &= lanes - 1) {
      const at = i + ((<usize>ctz(lanes)) << 2)
      consider<T>(load<i32>(codes + at), load<f32>(noise + at), limit, row, top, scale)
    }
    seconds = f32x4.splat(second)
  }
  // With weak noise, only those can come near that are at least so large.
  const distance = (WEAK + MARGIN - first) / scale
  if (distance >= 0) {
    const least: f32 = top - distance * 1.001 - abs(top) * 1e-6
    const leasts = isInteger<T>() ? i16x8.splat(<i16>keyBelow(least)) : f32x4.splat(least)
    for (let i: usize = 0; i < (<usize>count) << alignof<T>(); i += 16) {
      const x = v128.load(row + i)
      let lanes = truths<T>(v128.ge<T>(x, leasts))
      for (; lanes !== 0; lanes &= lanes - 1) {
        const code = <i32>(i >> alignof<T>()) + ctz(lanes)
        consider<T>(code, weakNoise(record, code), limit, row, top, scale)
      }
    }
  }
  return first - second > MARGIN ? winner : UNDECIDED
}

/** The row's numbers for four codes; for -infinity, of halves, a small one. */
function four<T>(row: usize, codes: usize): v128 {
  if (isInteger<T>()) {
    let x = i32x4.splat(0) // each key in the upper half of its lane
    x = v128.load16_lane(row + ((<usize>load<u32>(codes)) << 1), x, 1)
    x = v128.load16_lane(row + ((<usize>load<u32>(codes, 4)) << 1), x, 3)
    x = v128.load16_lane(row + ((<usize>load<u32>(codes, 8)) << 1), x, 5)
    x = v128.load16_lane(row + ((<usize>load<u32>(codes, 12)) << 1), x, 7)
    return numbersOf(i32x4.shr_s(x, 16))
  }
  let x = v128.load_zero<u32>(row + ((<usize>load<u32>(codes)) << 2))
  x = v128.load_lane<f32>(row + ((<usize>load<u32>(codes, 4)) << 2), x, 1)
  x = v128.load_lane<f32>(row + ((<usize>load<u32>(codes, 8)) << 2), x, 2)
  return v128.load_lane<f32>(row + ((<usize>load<u32>(codes, 12)) << 2), x, 3)
}

function number<T>(value: T): f32 {
  return isInteger<T>() ? numberOf(<i32>value) : <f32>value
}

function consider<T>(code: i32, noise: f32, limit: f32, row: usize, top: f32, scale: f32): void {
  const x = number<T>(load<T>(row + ((<usize>code) << alignof<T>())))
  const score = (x - top) * scale + noise
  if (!(score > second) || x <= limit) return
  second = min(first, score)
  if (score > first) winner = code
  first = max(first, score)
}
