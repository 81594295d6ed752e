/** IEEE 754 half precision, for the tensors that come as f16. */

let values: Float32Array | undefined

/** The value of each of the 65,536 bit patterns. */
function table(): Float32Array {
  const all = new Float32Array(1 << 16)
  for (let bits = 0; bits < all.length; bits++) {
    const sign = bits & 0x8000 ? -1 : 1
    const exponent = (bits >> 10) & 31
    const fraction = bits & 1023
    if (exponent === 31) all[bits] = fraction === 0 ? sign * Infinity : NaN
    else if (exponent === 0) all[bits] = sign * fraction * 2 ** -24
    else all[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
  }
  return all
}

/** Half-precision bit patterns as single-precision numbers; exact. */
export function floatsOfHalves(bits: Uint16Array): Float32Array {
  values ??= table()
  const floats = new Float32Array(bits.length)
  for (let i = 0; i < bits.length; i++) floats[i] = values[bits[i]]
  return floats
}
