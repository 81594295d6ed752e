// Probabilities of a row, to the same bits as src/numerics/probabilities.ts.
import { exp64 } from './exponential'
import { kthLargest, tiesOf } from './row'

/**
 * Writes to `out` [count] the probabilities of a row, whose largest is `top`, at a temperature, among its `k` largest (of
 * equal ones the first; 0: all). False where the row makes no distribution. `codes` and `weights` [count] and `scratch` [256] are written to.
 */
export function probabilities(
  row: usize,
  count: i32,
  top: f32,
  temperature: f64,
  k: i32,
  out: usize,
  codes: usize,
  weights: usize,
  scratch: usize,
): bool {
  if (!(abs(top) < Infinity)) return false
  if (k === 0 || k >= count) {
    exponentiate(row, count, top, temperature, out)
    divide(out, count, sum(out, count))
    return true
  }
  const threshold = kthLargest(row, count, k, top, scratch)
  const kept = compact(row, count, threshold, tiesOf(row, count, k, threshold), codes, weights)
  exponentiate(weights, (kept + 3) & ~3, top, temperature, weights)
  divide(weights, (kept + 3) & ~3, sum(weights, kept))
  memory.fill(out, 0, (<usize>count) << 2)
  for (let i = 0; i < kept; i++) {
    const code = <usize>load<u32>(codes + ((<usize>i) << 2))
    store<f32>(out + (code << 2), load<f32>(weights + ((<usize>i) << 2)))
  }
  return true
}

/** e^((x - top) / temperature), in single precision; in place where `out` is `from`. */
function exponentiate(from: usize, count: i32, top: f32, temperature: f64, out: usize): void {
  const tops = f64x2.splat(top)
  const temperatures = f64x2.splat(temperature)
  for (let i: usize = 0; i < (<usize>count) << 2; i += 16) {
    const x = v128.load(from + i)
    const low = f64x2.promote_low_f32x4(x)
    const high = f64x2.promote_low_f32x4(v128.shuffle<i32>(x, x, 2, 3, 2, 3))
    const a = exp64(f64x2.div(f64x2.sub(low, tops), temperatures))
    const b = exp64(f64x2.div(f64x2.sub(high, tops), temperatures))
    const both = v128.shuffle<i32>(f32x4.demote_f64x2_zero(a), f32x4.demote_f64x2_zero(b), 0, 1, 4, 5)
    v128.store(out + i, both)
  }
}

/** In their order: so that it rounds as a loop over the codes does. */
function sum(values: usize, count: i32): f64 {
  let total: f64 = 0
  for (let i = 0; i < count; i++) total += load<f32>(values + ((<usize>i) << 2))
  return total
}

function divide(values: usize, count: i32, total: f64): void {
  const totals = f64x2.splat(total)
  for (let i: usize = 0; i < (<usize>count) << 2; i += 16) {
    const x = v128.load(values + i)
    const a = f64x2.div(f64x2.promote_low_f32x4(x), totals)
    const b = f64x2.div(f64x2.promote_low_f32x4(v128.shuffle<i32>(x, x, 2, 3, 2, 3)), totals)
    const both = v128.shuffle<i32>(f32x4.demote_f64x2_zero(a), f32x4.demote_f64x2_zero(b), 0, 1, 4, 5)
    v128.store(values + i, both)
  }
}

/** The codes and logits of all above `threshold` and of the first `ties` at it, by code; how many. */
function compact(row: usize, count: i32, threshold: f32, ties: i32, codes: usize, logits: usize): i32 {
  const limit = f32x4.splat(threshold)
  let kept: i32 = 0
  for (let i = 0; i < count; i += 4) {
    const at = row + ((<usize>i) << 2)
    for (let bits = i32x4.bitmask(f32x4.ge(v128.load(at), limit)); bits !== 0; bits &= bits - 1) {
      const lane = ctz(bits)
      const logit = load<f32>(at + ((<usize>lane) << 2))
      if (logit === threshold && ties-- <= 0) continue
      store<u32>(codes + ((<usize>kept) << 2), i + lane)
      store<f32>(logits + ((<usize>kept) << 2), logit)
      kept++
    }
  }
  return kept
}
