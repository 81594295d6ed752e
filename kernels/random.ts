// Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC'11), four blocks at a time, and what is drawn with it.
import { log32, log32Below1, log64 } from './logarithm'

export const PURPOSES: u32 = 256 // as src/numerics/random.ts counts blocks

// The four words of four blocks, each word's over the blocks.
export let word0: v128 = i32x4.splat(0)
export let word1: v128 = i32x4.splat(0)
export let word2: v128 = i32x4.splat(0)
export let word3: v128 = i32x4.splat(0)

function draw(first: u32, counter1: u32, counter2: u32, counter3: u32, key0: u32, key1: u32): void {
  let x0 = i32x4.add(i32x4.splat(first), i32x4.mul(i32x4(0, 1, 2, 3), i32x4.splat(PURPOSES)))
  let x1 = i32x4.splat(counter1)
  let x2 = i32x4.splat(counter2)
  let x3 = i32x4.splat(counter3)
  const m0 = i32x4.splat(0xd2511f53)
  const m1 = i32x4.splat(0xcd9e8d57)
  for (let round = 0; round < 10; round++) {
    const a = i64x2.extmul_low_i32x4_u(x0, m0)
    const b = i64x2.extmul_high_i32x4_u(x0, m0)
    const c = i64x2.extmul_low_i32x4_u(x2, m1)
    const d = i64x2.extmul_high_i32x4_u(x2, m1)
    const high0 = v128.shuffle<i32>(a, b, 1, 3, 5, 7)
    const low0 = v128.shuffle<i32>(a, b, 0, 2, 4, 6)
    const high1 = v128.shuffle<i32>(c, d, 1, 3, 5, 7)
    const low1 = v128.shuffle<i32>(c, d, 0, 2, 4, 6)
    x0 = v128.xor(v128.xor(high1, x1), i32x4.splat(key0))
    x2 = v128.xor(v128.xor(high0, x3), i32x4.splat(key1))
    x1 = low1
    x3 = low0
    key0 += 0x9e3779b9
    key1 += 0xbb67ae85
  }
  word0 = x0
  word1 = x1
  word2 = x2
  word3 = x3
}

/** As `draw`, but the words of a block one after the other, and so the blocks. */
export function drawInOrder(
  first: u32,
  counter1: u32,
  counter2: u32,
  counter3: u32,
  key0: u32,
  key1: u32,
): void {
  draw(first, counter1, counter2, counter3, key0, key1)
  const low01 = v128.shuffle<i32>(word0, word1, 0, 4, 1, 5)
  const high01 = v128.shuffle<i32>(word0, word1, 2, 6, 3, 7)
  const low23 = v128.shuffle<i32>(word2, word3, 0, 4, 1, 5)
  const high23 = v128.shuffle<i32>(word2, word3, 2, 6, 3, 7)
  word0 = v128.shuffle<i32>(low01, low23, 0, 1, 4, 5)
  word1 = v128.shuffle<i32>(low01, low23, 2, 3, 6, 7)
  word2 = v128.shuffle<i32>(high01, high23, 0, 1, 4, 5)
  word3 = v128.shuffle<i32>(high01, high23, 2, 3, 6, 7)
}

/** The lower two lanes, as numbers half-way between two multiples of 2^-32. */
function uniform(words: v128): v128 {
  const number = f64x2.add(f64x2.convert_low_i32x4_u(words), f64x2.splat(0.5))
  return f64x2.mul(number, f64x2.splat(2.3283064365386963e-10))
}

function exponential(words: v128): v128 {
  const upper = v128.shuffle<i32>(words, words, 2, 3, 2, 3)
  const a = f32x4.demote_f64x2_zero(f64x2.neg(log64(uniform(words))))
  const b = f32x4.demote_f64x2_zero(f64x2.neg(log64(uniform(upper))))
  return v128.shuffle<i32>(a, b, 0, 1, 4, 5)
}

/** `count`, a multiple of 16, exponential numbers of mean 1 to `out`. */
export function exponentials(
  out: usize,
  count: i32,
  purpose: u32,
  counter1: u32,
  counter2: u32,
  counter3: u32,
  key0: u32,
  key1: u32,
): void {
  for (let i = 0; i < count; i += 16) {
    drawInOrder(purpose + PURPOSES * (<u32>i >> 2), counter1, counter2, counter3, key0, key1)
    const to = out + ((<usize>i) << 2)
    v128.store(to, exponential(word0))
    v128.store(to, exponential(word1), 16)
    v128.store(to, exponential(word2), 32)
    v128.store(to, exponential(word3), 48)
  }
}

/** Gumbel noise `-log e` of the exponential numbers of these words, to about 2e-6: in single precision throughout. */
export function gumbel(words: v128): v128 {
  const e = f32x4.neg(log32Below1(uniform32(words), uniform32(v128.not(words))))
  return f32x4.neg(log32(e))
}

/** As `uniform`, of all lanes; rounded, but never to 0. */
function uniform32(words: v128): v128 {
  const number = f32x4.add(f32x4.convert_i32x4_u(words), f32x4.splat(0.5))
  return f32x4.mul(number, f32x4.splat(2.3283064365386963e-10))
}

/** `count`, a multiple of 16, standard normal numbers by Box and Muller. */
export function normals(
  out: usize,
  count: i32,
  purpose: u32,
  counter1: u32,
  counter2: u32,
  counter3: u32,
  key0: u32,
  key1: u32,
): void {
  for (let i = 0; i < count; i += 16) {
    draw(purpose + PURPOSES * (<u32>i >> 2), counter1, counter2, counter3, key0, key1)
    const to = out + ((<usize>i) << 2)
    twoBlocks(to, word0, word1, 0)
    twoBlocks(to, word2, word3, 8)
    const upper0 = v128.shuffle<i32>(word0, word0, 2, 3, 2, 3)
    const upper1 = v128.shuffle<i32>(word1, word1, 2, 3, 2, 3)
    const upper2 = v128.shuffle<i32>(word2, word2, 2, 3, 2, 3)
    const upper3 = v128.shuffle<i32>(word3, word3, 2, 3, 2, 3)
    twoBlocks(to + 32, upper0, upper1, 0)
    twoBlocks(to + 32, upper2, upper3, 8)
  }
}

/** A pair of numbers for each of two blocks, 16 bytes apart, from the lower lanes. */
function twoBlocks(out: usize, radii: v128, angles: v128, offset: usize): void {
  const radius = f64x2.sqrt(f64x2.mul(f64x2.splat(-2.0), log64(uniform(radii))))
  const turns = f64x2.mul(uniform(angles), f64x2.splat(4.0))
  const quarter = f64x2.nearest(turns)
  const x = f64x2.mul(f64x2.sub(turns, quarter), f64x2.splat(1.5707963267948966))
  const z = f64x2.mul(x, x)
  // sine and cosine on a quarter turn: fdlibm's k_sin.c and k_cos.c
  let s = f64x2.add(f64x2.splat(-2.5050760253406863e-8), f64x2.mul(z, f64x2.splat(1.58969099521155e-10)))
  s = f64x2.add(f64x2.splat(2.7557313707070068e-6), f64x2.mul(z, s))
  s = f64x2.add(f64x2.splat(-1.984126982985795e-4), f64x2.mul(z, s))
  s = f64x2.add(f64x2.splat(8.33333333332249e-3), f64x2.mul(z, s))
  s = f64x2.add(f64x2.splat(-0.16666666666666632), f64x2.mul(z, s))
  s = f64x2.add(x, f64x2.mul(f64x2.mul(z, x), s))
  let c = f64x2.add(f64x2.splat(2.087572321298175e-9), f64x2.mul(z, f64x2.splat(-1.1359647557788195e-11)))
  c = f64x2.add(f64x2.splat(-2.7557314351390663e-7), f64x2.mul(z, c))
  c = f64x2.add(f64x2.splat(2.480158728947673e-5), f64x2.mul(z, c))
  c = f64x2.add(f64x2.splat(-1.388888888887411e-3), f64x2.mul(z, c))
  c = f64x2.add(f64x2.splat(4.16666666666666e-2), f64x2.mul(z, c))
  c = f64x2.add(f64x2.sub(f64x2.splat(1.0), f64x2.mul(f64x2.splat(0.5), z)), f64x2.mul(f64x2.mul(z, z), c))
  // A quarter turn swaps the two and turns the sign of one.
  const q = f64x2.add(quarter, f64x2.splat(4503599627370496.0))
  const odd = i64x2.ne(v128.and(q, i64x2.splat(1)), i64x2.splat(0))
  const cosine = v128.bitselect(s, c, odd)
  const sine = v128.bitselect(c, s, odd)
  const cosineSign = i64x2.shl(i64x2.add(q, i64x2.splat(1)), 62)
  const sineSign = i64x2.shl(q, 62)
  const sign = i64x2.splat(0x8000000000000000)
  const a = f32x4.demote_f64x2_zero(f64x2.mul(radius, v128.xor(cosine, v128.and(cosineSign, sign))))
  const b = f32x4.demote_f64x2_zero(f64x2.mul(radius, v128.xor(sine, v128.and(sineSign, sign))))
  const pairs = v128.shuffle<i32>(a, b, 0, 4, 1, 5)
  v128.store64_lane(out + offset, pairs, 0)
  v128.store64_lane(out + offset + 16, pairs, 1)
}
