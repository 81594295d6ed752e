import { ImageRandom } from '../numerics/index.js'

/** What an experiment itself draws; images are numbered from 0, so the streams are numbered from the other end. */
const streams = { prompts: 2 ** 32 - 1, bootstrap: 2 ** 32 - 2 } as const

/** Uniform numbers on (0, 1), one after the other, the same for the same seed. */
export function randomStream(seed: number, stream: keyof typeof streams): () => number {
  const random = new ImageRandom(seed, streams[stream])
  let drawn = 0
  return () => random.uniform('draw', drawn++, 0)
}
