import { lowest } from '../numerics/index.js'
import type { Model } from './model.js'

type Embeddings = Model['embeddings']

/** Squared Euclidean distance of two codes' normalised embeddings. */
export function squaredDistance({ table, width }: Embeddings, a: number, b: number): number {
  let sum = 0
  for (let i = 0; i < width; i += 1) sum += (table[a * width + i] - table[b * width + i]) ** 2
  return sum
}

/** For each model's table: what was found, by number of neighbours and code. */
const known = new WeakMap<Float32Array, Map<string, readonly number[]>>()

/**
 * The `count` codes (or all, if there are fewer) nearest to a code, nearest first, by their normalised input
 * embeddings: the only latents of its codes that every checkpoint has. Found when first asked for, once for a
 * model.
 */
export function nearestCodes(embeddings: Embeddings, code: number, count: number): readonly number[] {
  const { table, width } = embeddings
  const found = known.get(table) ?? new Map<string, readonly number[]>()
  known.set(table, found)
  const key = `${count} ${code}`
  let nearest = found.get(key)
  if (nearest === undefined) {
    const distance = (v: number) => (v === code ? Infinity : squaredDistance(embeddings, v, code))
    nearest = lowest(table.length / width, count, distance)
    found.set(key, nearest)
  }
  return nearest
}
