// Natural logarithms. Coefficients and order of operations of the first are those of fdlibm's e_log.c, which is what
// JavaScript's Math.log is in V8, so that both give the same bits (Sun Microsystems, 1993).

/** log x of two positive, normal numbers; bit for bit fdlibm's. */
export function log64(x: v128): v128 {
  const high = i64x2.shr_u(x, 32)
  const hx = v128.and(high, i64x2.splat(0x000fffff))
  const i = v128.and(i64x2.add(hx, i64x2.splat(0x95f64)), i64x2.splat(0x100000))
  const exponent = i64x2.add(i64x2.shr_u(high, 20), i64x2.shr_u(i, 20))
  // An integer below 2^52 in the low bits of 2^52 is that integer above it.
  const dk = f64x2.sub(
    v128.or(exponent, i64x2.splat(0x4330000000000000)),
    f64x2.splat(4503599627370496.0 + 1023.0),
  )
  const scaled = v128.or(hx, v128.xor(i, i64x2.splat(0x3ff00000)))
  const mantissa = v128.or(v128.and(x, i64x2.splat(0xffffffff)), i64x2.shl(scaled, 32))
  const f = f64x2.sub(mantissa, f64x2.splat(1.0))

  const s = f64x2.div(f, f64x2.add(f64x2.splat(2.0), f))
  const z = f64x2.mul(s, s)
  const w = f64x2.mul(z, z)
  let t1 = f64x2.add(f64x2.splat(0.22222198432149784), f64x2.mul(w, f64x2.splat(0.15313837699209373)))
  t1 = f64x2.mul(w, f64x2.add(f64x2.splat(0.3999999999940942), f64x2.mul(w, t1)))
  let t2 = f64x2.add(f64x2.splat(0.1818357216161805), f64x2.mul(w, f64x2.splat(0.14798198605116586)))
  t2 = f64x2.add(f64x2.splat(0.2857142874366239), f64x2.mul(w, t2))
  t2 = f64x2.mul(z, f64x2.add(f64x2.splat(0.6666666666666735), f64x2.mul(w, t2)))
  const r = f64x2.add(t2, t1)

  const dkLow = f64x2.mul(dk, f64x2.splat(1.9082149292705877e-10))
  const half = f64x2.mul(f64x2.mul(f64x2.splat(0.5), f), f)
  const middle = f64x2.sub(half, f64x2.add(f64x2.mul(s, f64x2.add(half, r)), dkLow))
  const outer = f64x2.sub(f64x2.mul(s, f64x2.sub(f, r)), dkLow)
  const ff = f64x2.mul(f, f)
  const near = f64x2.sub(
    f64x2.mul(ff, f64x2.sub(f64x2.splat(0.5), f64x2.mul(f64x2.splat(0.3333333333333333), f))),
    dkLow,
  )
  const isMiddle = v128.and(i64x2.ge_s(hx, i64x2.splat(0x6147a)), i64x2.le_s(hx, i64x2.splat(0x6b851)))
  const isNear = i64x2.lt_s(v128.and(i64x2.add(hx, i64x2.splat(2)), i64x2.splat(0x000fffff)), i64x2.splat(3))
  const rest = v128.bitselect(near, v128.bitselect(middle, outer, isMiddle), isNear)
  return f64x2.sub(f64x2.mul(dk, f64x2.splat(0.6931471803691238)), f64x2.sub(rest, f))
}

/** log x of four positive, normal numbers, to about 1e-7 of 1 + |log x| (Cephes logf). */
export function log32(x: v128): v128 {
  const bits = i32x4.sub(x, i32x4.splat(0x3f3504f3)) // of the square root of a half
  const mantissa = i32x4.add(v128.and(bits, i32x4.splat(0x007fffff)), i32x4.splat(0x3f3504f3))
  return ofParts(f32x4.sub(mantissa, f32x4.splat(1.0)), f32x4.convert_i32x4_s(i32x4.shr_s(bits, 23)))
}

/** log x of four numbers on (0, 1), of which `rest` is 1 - x: to about 2e-7 of itself, close to 1 too. */
export function log32Below1(x: v128, rest: v128): v128 {
  const bits = i32x4.sub(x, i32x4.splat(0x3f3504f3))
  const exponent = i32x4.shr_s(bits, 23)
  const mantissa = i32x4.add(v128.and(bits, i32x4.splat(0x007fffff)), i32x4.splat(0x3f3504f3))
  const high = i32x4.eq(exponent, i32x4.splat(0))
  const f = v128.bitselect(f32x4.neg(rest), f32x4.sub(mantissa, f32x4.splat(1.0)), high)
  return ofParts(f, f32x4.convert_i32x4_s(exponent))
}

/** log((1 + f) 2^exponent) */
function ofParts(f: v128, exponent: v128): v128 {
  // pairs of terms, then pairs of pairs: no long chain in which each step waits for the one before
  const z = f32x4.mul(f, f)
  const zz = f32x4.mul(z, z)
  const low = f32x4.add(
    pair(3.3333331174e-1, -2.4999993993e-1, f),
    f32x4.mul(pair(2.0000714765e-1, -1.6668057665e-1, f), z),
  )
  const high = f32x4.add(
    pair(1.4249322787e-1, -1.2420140846e-1, f),
    f32x4.mul(pair(1.167699874e-1, -1.151461031e-1, f), z),
  )
  const highest = f32x4.mul(zz, f32x4.splat(7.0376836292e-2))
  let p = f32x4.add(low, f32x4.mul(f32x4.add(high, highest), zz))
  p = f32x4.mul(f32x4.mul(p, f), z)
  p = f32x4.add(p, f32x4.mul(exponent, f32x4.splat(-2.1219444e-4)))
  p = f32x4.sub(p, f32x4.mul(f32x4.splat(0.5), z))
  return f32x4.add(f32x4.add(f, p), f32x4.mul(exponent, f32x4.splat(0.693359375)))
}

function pair(constant: f32, linear: f32, f: v128): v128 {
  return f32x4.add(f32x4.splat(constant), f32x4.mul(f32x4.splat(linear), f))
}
