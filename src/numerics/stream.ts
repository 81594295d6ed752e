import { philox } from './philox.js'

/** Which random numbers: what they are for, and of which image, position and pass. */
export interface Stream {
  readonly purpose: number
  readonly image: number
  readonly position: number
  readonly iteration: number
  /** Of the seed. */
  readonly key0: number
  readonly key1: number
}

/** Blocks of four numbers share a counter but for its first word, which is `purpose + PURPOSES * block`. */
const PURPOSES = 256

const words = new Uint32Array(4)

/** The stream's words of a block, [4]; valid until the next call. */
export function wordsOf(
  { purpose, image, position, iteration, key0, key1 }: Stream,
  block: number,
): Uint32Array {
  philox(purpose + PURPOSES * block, image, position, iteration, key0, key1, words)
  return words
}

/** Half-way between two multiples of 2^-32: uniform on (0, 1) with a resolution of 2^-32, never 0 and never 1. */
export const toUniform = (word: number): number => (word + 0.5) * 2 ** -32

/** What the kernel `normals` computes, in plain TypeScript. */
export function plainNormals(stream: Stream, out: Float32Array): void {
  for (let i = 0; i < out.length; i += 4) {
    const block = wordsOf(stream, i >> 2)
    for (let k = 0; k < 4 && i + k < out.length; k += 2) {
      const radius = Math.sqrt(-2 * Math.log(toUniform(block[k])))
      const angle = 2 * Math.PI * toUniform(block[k + 1])
      out[i + k] = radius * Math.cos(angle)
      if (i + k + 1 < out.length) out[i + k + 1] = radius * Math.sin(angle)
    }
  }
}

/** What the kernel `exponentials` computes, in plain TypeScript. */
export function plainExponentials(stream: Stream, out: Float32Array): void {
  for (let i = 0; i < out.length; i += 4) {
    const block = wordsOf(stream, i >> 2)
    for (let k = 0; k < 4 && i + k < out.length; k += 1) out[i + k] = -Math.log(toUniform(block[k]))
  }
}
