// Coefficients and order of operations of fdlibm's e_exp.c, which is what JavaScript's Math.exp is in V8, so that both
// round to the same single-precision numbers (Sun Microsystems, 1993).

/** e^x of two numbers not above 0; 0 below -110, where single precision has no number left. */
export function exp64(x: v128): v128 {
  const magnitude = v128.and(i64x2.shr_u(x, 32), i64x2.splat(0x7fffffff))
  // |x| <= 0.5 ln 2: nothing is taken off; up to 1.5 ln 2: one ln 2; else the nearest number of them.
  const whole = f64x2.trunc(f64x2.sub(f64x2.mul(f64x2.splat(Math.LOG2E), x), f64x2.splat(0.5)))
  const some = v128.bitselect(f64x2.splat(-1.0), whole, i64x2.lt_s(magnitude, i64x2.splat(0x3ff0a2b2)))
  const t = v128.and(some, i64x2.gt_s(magnitude, i64x2.splat(0x3fd62e42)))
  const high = f64x2.sub(x, f64x2.mul(t, f64x2.splat(0.6931471803691238)))
  const low = f64x2.mul(t, f64x2.splat(1.9082149292705877e-10))
  const r = f64x2.sub(high, low)
  const rr = f64x2.mul(r, r)
  let p = f64x2.add(f64x2.splat(-1.6533902205465252e-6), f64x2.mul(rr, f64x2.splat(4.1381367970572385e-8)))
  p = f64x2.add(f64x2.splat(6.613756321437934e-5), f64x2.mul(rr, p))
  p = f64x2.add(f64x2.splat(-2.7777777777015593e-3), f64x2.mul(rr, p))
  p = f64x2.add(f64x2.splat(0.16666666666666602), f64x2.mul(rr, p))
  const c = f64x2.sub(r, f64x2.mul(rr, p))
  const quotient = f64x2.div(f64x2.mul(r, c), f64x2.sub(f64x2.splat(2.0), c))
  const y = f64x2.sub(f64x2.splat(1.0), f64x2.sub(f64x2.sub(low, quotient), high))
  // 2^t: t + 1023 as the exponent of a number, by way of the low bits of 2^52 + t + 1023.
  const exponent = i64x2.shl(f64x2.add(t, f64x2.splat(4503599627370496.0 + 1023.0)), 52)
  return v128.and(f64x2.mul(y, exponent), f64x2.ge(x, f64x2.splat(-110.0)))
}
