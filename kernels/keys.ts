// A row of halves, [count], a multiple of 16, padded with -infinity, as integers that are ordered as its numbers are: a
// key is the bits of the magnitude, negative where the number is. Both zeros have the same one.

/** The key of infinity; those beyond it are of no number. */
export const INFINITE: i32 = 0x7c00

/** Bits of halves to keys, in place. Returns the largest; `INFINITE` where there is that, or what is no number. */
export function keys(row: usize, count: i32): i32 {
  const unsigned = v128.load_splat<u16>(UNSIGNED)
  let largest = i16x8.splat(-0x7fff)
  let furthest = i16x8.splat(0)
  for (let i: usize = 0; i < (<usize>count) << 1; i += 16) {
    const bits = v128.load(row + i)
    const magnitude = v128.and(bits, unsigned)
    const sign = i16x8.shr_s(bits, 15)
    const key = i16x8.sub(v128.xor(magnitude, sign), sign)
    furthest = i16x8.max_s(furthest, magnitude)
    largest = i16x8.max_s(largest, key)
    v128.store(row + i, key)
  }
  return largestLane(furthest) > INFINITE ? INFINITE : largestLane(largest)
}

const UNSIGNED = memory.data<u16>([0x7fff])

function largestLane(x: v128): i32 {
  const four = i16x8.max_s(x, i64x2.shr_u(x, 32))
  const two = i16x8.max_s(four, v128.shuffle<i32>(four, four, 2, 3, 2, 3))
  const one = i16x8.max_s(two, i32x4.shr_u(two, 16))
  return i16x8.extract_lane_s(one, 0)
}

/** The number of a key. */
export function numberOf(key: i32): f32 {
  if (key === -INFINITE) return -Infinity
  const magnitude = reinterpret<f32>(abs(key) << 13) * SCALE
  return key < 0 ? -magnitude : magnitude
}

/** Of four keys; for -infinity, -65536. */
export function numbersOf(four: v128): v128 {
  const magnitude = f32x4.mul(i32x4.shl(i32x4.abs(four), 13), f32x4.splat(SCALE))
  return v128.or(magnitude, v128.and(four, i32x4.splat(0x80000000)))
}

/** What takes bits of a half, where a single has its, to their number: 2^112. */
const SCALE: f32 = reinterpret<f32>(0x77800000)

/** No key of a number that is at least `x` is below it. */
export function keyBelow(x: f32): i32 {
  if (abs(x) >= 65536) return x < 0 ? -INFINITE : INFINITE
  const magnitude = <i32>(reinterpret<u32>(abs(x) / SCALE) >> 13)
  return x < 0 ? -magnitude : magnitude
}
