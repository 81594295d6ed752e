// The strong part of a position's Gumbel noise. A race is won by a code whose noise is strong, or whose logit is so high
// that weak noise suffices: of the eighth of the codes whose noise is strong the numbers are kept, of the others how they
// are drawn.
//
// A record, in words: the stream (purpose, three more counters, two words of key), how many are strong, that rounded up to
// a multiple of 4 (`size`); then their codes [size], ascending, then 0; then their noise [size], then -infinity.
import { drawInOrder, gumbel, PURPOSES, word0, word1, word2, word3 } from './random'

/** Words from here on are strong. */
const LEAST: u32 = 0xe0000000

/** What weak noise is below: `-log(-log(7 / 8))`, and a little for rounding. */
export const WEAK: f32 = 2.0135

/** Bytes of what a record begins with. */
const HEAD: usize = 32

export function codesOf(record: usize): usize {
  return record + HEAD
}

export function noiseOf(record: usize): usize {
  return record + HEAD + ((<usize>load<u32>(record, 28)) << 2)
}

/**
 * Completes the record of `count` numbers, a multiple of 16, which begins with the stream already. Writes to the
 * `HEAD + 8 * count + 64` bytes from there.
 */
export function strong(record: usize, count: i32): void {
  const codes = codesOf(record)
  const words = codes + ((<usize>count) << 2)
  const drawn = words + ((<usize>count) << 2)
  let found: usize = 0
  for (let i = 0; i < count; i += 16) {
    draw(record, i)
    v128.store(drawn, word0)
    v128.store(drawn, word1, 16)
    v128.store(drawn, word2, 32)
    v128.store(drawn, word3, 48)
    const low = strongLanes(word0) | (strongLanes(word1) << 4)
    const high = strongLanes(word2) | (strongLanes(word3) << 4)
    for (let lanes = low | (high << 8); lanes !== 0; lanes &= lanes - 1) {
      const lane = ctz(lanes)
      store<i32>(codes + (found << 2), i + lane)
      store<u32>(words + (found << 2), load<u32>(drawn + ((<usize>lane) << 2)))
      found++
    }
  }
  const size = (found + 3) & ~3
  store<u32>(record, <u32>found, 24)
  store<u32>(record, <u32>size, 28)
  const noise = noiseOf(record)
  for (let i: usize = 0; i < size << 2; i += 16) v128.store(noise + i, gumbel(v128.load(words + i)))
  for (; found < size; found++) {
    store<u32>(codes + (found << 2), 0)
    store<f32>(noise + (found << 2), -Infinity)
  }
}

/** A code's noise where that is weak; -infinity where it is strong. */
export function weakNoise(record: usize, code: i32): f32 {
  draw(record, code & ~3)
  const weak = i32x4.lt_u(word0, i32x4.splat(LEAST))
  const noise = v128.bitselect(gumbel(word0), f32x4.splat(-Infinity), weak)
  if ((code & 2) === 0) return code & 1 ? f32x4.extract_lane(noise, 1) : f32x4.extract_lane(noise, 0)
  return code & 1 ? f32x4.extract_lane(noise, 3) : f32x4.extract_lane(noise, 2)
}

/** The words of sixteen numbers from `number` on, a multiple of 4. */
function draw(record: usize, number: i32): void {
  drawInOrder(
    load<u32>(record) + PURPOSES * (<u32>number >> 2),
    load<u32>(record, 4),
    load<u32>(record, 8),
    load<u32>(record, 12),
    load<u32>(record, 16),
    load<u32>(record, 20),
  )
}

function strongLanes(words: v128): i32 {
  return i32x4.bitmask(i32x4.ge_u(words, i32x4.splat(LEAST)))
}
