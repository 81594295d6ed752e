// One row of logits: [count] numbers, padded to a multiple of 16 with -infinity.

// Constants of a short loop. V8 makes those that `splat` names anew in every turn, and keeps those that are read.
const UNSIGNED = memory.data<u16>([0x7fff])
const FIELDS = memory.data<u32>([0x8fffe000]) // sign, exponent and fraction of a half, moved up
const SCALE = memory.data<u32>([0x77800000]) // 2^112

/**
 * IEEE half precision to single precision, `count` numbers, a multiple of 8; exact. Returns the largest as `maximum` does.
 */
export function halves(from: usize, to: usize, count: i32): f32 {
  const unsigned = v128.load_splat<u16>(UNSIGNED)
  const fields = v128.load_splat<u32>(FIELDS)
  const scale = v128.load_splat<u32>(SCALE)
  let magnitude = i16x8.splat(0)
  let a = f32x4.splat(-Infinity)
  let b = a
  for (let i: usize = 0; i < <usize>count; i += 8) {
    const at = from + (i << 1)
    magnitude = i16x8.max_s(magnitude, v128.and(v128.load(at), unsigned))
    const x = single(v128.load_ext<i16>(at), fields, scale)
    const y = single(v128.load_ext<i16>(at, 8), fields, scale)
    a = f32x4.pmax(a, x)
    b = f32x4.pmax(b, y)
    v128.store(to + (i << 2), x)
    v128.store(to + (i << 2), y, 16)
  }
  if (!v128.any_true(i16x8.gt_s(magnitude, i16x8.splat(0x7bff)))) return largestLane(f32x4.pmax(a, b))
  for (let i: usize = 0; i < (<usize>count) << 2; i += 16) {
    const x = v128.load(to + i)
    // Infinity and NaN keep their exponent: all ones.
    const infinite = f32x4.ge(f32x4.abs(x), f32x4.splat(65536.0))
    const kept = v128.or(x, i32x4.splat(0x7f800000))
    v128.store(to + i, v128.bitselect(kept, x, infinite))
  }
  return maximum(to, count)
}

/** Bits of halves, extended by their sign: where singles have theirs, 2^112 too small, subnormal ones included. */
function single(bits: v128, fields: v128, scale: v128): v128 {
  return f32x4.mul(v128.and(i32x4.shl(bits, 13), fields), scale)
}

/** The largest; NaN where there is one. */
export function maximum(row: usize, count: i32): f32 {
  // `max` takes several instructions to pass NaN on, `pmax` one to leave it out
  let a = f32x4.splat(-Infinity)
  let b = a
  let numbers = i32x4.splat(-1)
  for (let i: usize = 0; i < (<usize>count) << 2; i += 32) {
    const x = v128.load(row + i)
    const y = v128.load(row + i, 16)
    numbers = v128.and(numbers, v128.and(f32x4.eq(x, x), f32x4.eq(y, y)))
    a = f32x4.pmax(a, x)
    b = f32x4.pmax(b, y)
  }
  return i32x4.all_true(numbers) ? largestLane(f32x4.pmax(a, b)) : NaN
}

export function largestLane(x: v128): f32 {
  const two = f32x4.pmax(x, v128.shuffle<i32>(x, x, 2, 3, 2, 3))
  return f32x4.extract_lane(f32x4.pmax(two, v128.shuffle<i32>(two, two, 1, 1, 1, 1)), 0)
}

/** How many are at least, or above, `value`. */
function countFrom(row: usize, count: i32, value: f32): i32 {
  const limit = f32x4.splat(value)
  let a = i32x4.splat(0)
  let b = a
  for (let i: usize = 0; i < (<usize>count) << 2; i += 32) {
    a = i32x4.sub(a, f32x4.ge(v128.load(row + i), limit))
    b = i32x4.sub(b, f32x4.ge(v128.load(row + i, 16), limit))
  }
  return lanesSum(i32x4.add(a, b))
}

/** How many are above `value`; of numbers (f32) or keys (i16), as below. */
export function countAbove<T>(row: usize, count: i32, value: T): i32 {
  const limit = v128.splat<T>(value)
  let a = i32x4.splat(0)
  let b = a
  for (let i: usize = 0; i < (<usize>count) << alignof<T>(); i += 32) {
    a = tally<T>(a, v128.gt<T>(v128.load(row + i), limit))
    b = tally<T>(b, v128.gt<T>(v128.load(row + i, 16), limit))
  }
  return total<T>(a) + total<T>(b)
}

/** Counts, in each lane, what is true. */
function tally<T>(counts: v128, truths: v128): v128 {
  return isInteger<T>() ? i16x8.sub(counts, truths) : i32x4.sub(counts, truths)
}

function total<T>(counts: v128): i32 {
  return lanesSum(isInteger<T>() ? i32x4.extadd_pairwise_i16x8_s(counts) : counts)
}

function lanesSum(x: v128): i32 {
  const two = i32x4.add(x, v128.shuffle<i32>(x, x, 2, 3, 2, 3))
  return i32x4.extract_lane(two, 0) + i32x4.extract_lane(two, 1)
}

/**
 * The `k`-th largest, whose largest is `top`. Bisects for an interval that holds it and few others, then sorts these in
 * `scratch` [256].
 */
export function kthLargest(row: usize, count: i32, k: i32, top: f32, scratch: usize): f32 {
  let step: f32 = 4
  let low: f32 = top
  let high: f32 = top
  let within = countFrom(row, count, top)
  if (within >= k) return top
  let above = within
  while (within < k) {
    high = low
    above = within
    low = top - step
    step *= 2
    if (low === -Infinity) return low
    within = countFrom(row, count, low)
  }
  // at least `high`: `above` < k; at least `low`: `within` >= k
  while (within - above > 256) {
    const middle = low * 0.5 + high * 0.5
    if (middle <= low || middle >= high) return low
    const there = countFrom(row, count, middle)
    if (there >= k) {
      low = middle
      within = there
    } else {
      high = middle
      above = there
    }
  }
  const found = collect(row, count, low, high, scratch)
  sort(scratch, found)
  return load<f32>(scratch + ((<usize>(k - above - 1)) << 2))
}

/** Those from `low` to below `high`, in order; how many. */
function collect(row: usize, count: i32, low: f32, high: f32, out: usize): i32 {
  const lows = f32x4.splat(low)
  const highs = f32x4.splat(high)
  let found: i32 = 0
  for (let i: usize = 0; i < (<usize>count) << 2; i += 16) {
    const x = v128.load(row + i)
    const inside = v128.and(f32x4.ge(x, lows), f32x4.lt(x, highs))
    if (!v128.any_true(inside)) continue
    for (let bits = i32x4.bitmask(inside); bits !== 0; bits &= bits - 1) {
      store<f32>(out + ((<usize>found) << 2), load<f32>(row + i + ((<usize>ctz(bits)) << 2)))
      found++
    }
  }
  return found
}

/** Largest first (Shell's sort). */
function sort(values: usize, count: i32): void {
  for (let gap = count >> 1; gap > 0; gap >>= 1) {
    for (let i = gap; i < count; i++) {
      const value = load<f32>(values + ((<usize>i) << 2))
      let j = i
      for (; j >= gap; j -= gap) {
        const other = load<f32>(values + ((<usize>(j - gap)) << 2))
        if (!(other < value)) break
        store<f32>(values + ((<usize>j) << 2), other)
      }
      store<f32>(values + ((<usize>j) << 2), value)
    }
  }
}

/** How many of those equal to the k-th largest may stay. */
export function tiesOf(row: usize, count: i32, k: i32, threshold: f32): i32 {
  return k - countAbove<f32>(row, count, threshold)
}

/** How many are ahead of number `code`: those above it, and equals before it. */
export function rankOf<T>(row: usize, count: i32, code: i32): i32 {
  const at = (<usize>code) << alignof<T>()
  const values = v128.splat<T>(load<T>(row + at))
  const before = at & ~15
  let ahead = i32x4.splat(0)
  for (let i: usize = 0; i < before; i += 16) {
    ahead = tally<T>(ahead, v128.ge<T>(v128.load(row + i), values))
  }
  // of those that it is among, equals before it too
  const equal = truths<T>(v128.eq<T>(v128.load(row + before), values))
  const above = truths<T>(v128.gt<T>(v128.load(row + before), values))
  const place = <i32>((at & 15) >> alignof<T>())
  const rank = popcnt(above) + popcnt(equal & ((1 << place) - 1))
  for (let i = before + 16; i < (<usize>count) << alignof<T>(); i += 16) {
    ahead = tally<T>(ahead, v128.gt<T>(v128.load(row + i), values))
  }
  return rank + total<T>(ahead)
}

/** A bit for each lane. */
export function truths<T>(lanes: v128): i32 {
  return isInteger<T>() ? i16x8.bitmask(lanes) : i32x4.bitmask(lanes)
}
