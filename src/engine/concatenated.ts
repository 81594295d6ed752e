/** A typed array of the parts, one after the other, in memory that `make` gives; the part itself where there is one. */
export function concatenated<A extends Float32Array | Uint16Array | Int32Array | Uint8Array>(
  type: new (length: number) => A,
  parts: readonly A[],
  make = (length: number) => new type(length),
): A {
  if (parts.length === 1) return parts[0]
  const whole = make(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
