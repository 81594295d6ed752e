/** One vector for each image code, [count, width]. */
export interface CodeVectors {
  readonly table: Float32Array
  readonly width: number
}

/** Squared Euclidean distance of two codes' vectors; with `unit` [width], in vectors that are multiplied by it. */
export function squaredDistance(
  { table, width }: CodeVectors,
  a: number,
  b: number,
  unit?: Float32Array,
): number {
  let sum = 0
  for (let i = 0; i < width; i += 1) {
    const difference = table[a * width + i] - table[b * width + i]
    sum += unit === undefined ? difference ** 2 : (difference * unit[i]) ** 2
  }
  return sum
}

/** For each table: what was found, by number of neighbours and code. */
const known = new WeakMap<Float32Array, Map<string, Int32Array>>()

/**
 * The `count` codes (or all others, if there are fewer) whose vectors are nearest to a code's, nearest first, of equally
 * near ones the lower first. Each is found once for a table, when it is first asked for.
 */
export function nearestCodes(vectors: CodeVectors, code: number, count: number): Int32Array {
  const { table, width } = vectors
  const found = known.get(table) ?? new Map<string, Int32Array>()
  known.set(table, found)
  const key = `${count} ${code}`
  let nearest = found.get(key)
  if (nearest === undefined) {
    const distances = Float64Array.from({ length: table.length / width }, (_, v) =>
      squaredDistance(vectors, v, code),
    )
    const others = Int32Array.from(distances.keys()).filter((v) => v !== code)
    nearest = others.sort((a, b) => distances[a] - distances[b] || a - b).slice(0, count)
    found.set(key, nearest)
  }
  return nearest
}
