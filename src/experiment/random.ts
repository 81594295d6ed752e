import { createHash } from 'node:crypto'
import { ImageRandom } from '../numerics/index.js'

/**
 * The key of the random numbers of a prompt's pictures: 64 bits of SHA-256 over the user's seed and the prompt's text.
 * With a picture's index it decides all of its random numbers, so these depend on (prompt, seed, index) alone, and
 * different prompts under one seed have different noise.
 */
export const keyOfPrompt = (prompt: string, seed: number): bigint =>
  createHash('sha256').update(`${seed}\n${prompt}`).digest().readBigUInt64LE()

/** What an experiment itself draws, each by an image's number of its own, under the user's seed itself. */
const streams = { prompts: 2 ** 32 - 1, bootstrap: 2 ** 32 - 2 } as const

/** Uniform numbers on (0, 1), one after the other, the same for the same seed. */
export function randomStream(seed: number, stream: keyof typeof streams): () => number {
  const random = new ImageRandom(seed, streams[stream])
  let drawn = 0
  return () => random.uniform('draw', drawn++, 0)
}
