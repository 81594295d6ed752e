/** Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11). */

const MULTIPLIER_0 = 0xd2511f53
const MULTIPLIER_1 = 0xcd9e8d57
const WEYL_0 = 0x9e3779b9
const WEYL_1 = 0xbb67ae85
const ROUNDS = 10

/** The high 32 bits of the 64-bit product of two unsigned 32-bit numbers. */
function highProduct(a: number, b: number): number {
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const carry = aLow * bHigh + (middle & 0xffff)
  return (aHigh * bHigh + (middle >>> 16) + (carry >>> 16)) >>> 0
}

/**
 * Writes to `out` [4] the four unsigned 32-bit numbers that belong to a counter of four words and a key of
 * two. A pure function: there is no state to save, and no order of evaluation to respect.
 */
export function philox(
  counter0: number,
  counter1: number,
  counter2: number,
  counter3: number,
  key0: number,
  key1: number,
  out: Uint32Array,
): void {
  let [x0, x1, x2, x3] = [counter0, counter1, counter2, counter3]
  for (let round = 0; round < ROUNDS; round += 1) {
    const k0 = key0 + Math.imul(round, WEYL_0)
    const k1 = key1 + Math.imul(round, WEYL_1)
    const high0 = highProduct(x0, MULTIPLIER_0)
    const high1 = highProduct(x2, MULTIPLIER_1)
    const low0 = Math.imul(x0, MULTIPLIER_0)
    const low1 = Math.imul(x2, MULTIPLIER_1)
    x0 = high1 ^ x1 ^ k0
    x1 = low1
    x2 = high0 ^ x3 ^ k1
    x3 = low0
  }
  out[0] = x0
  out[1] = x1
  out[2] = x2
  out[3] = x3
}
