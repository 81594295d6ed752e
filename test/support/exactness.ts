import { type DecodingPolicy, type Sampling, Trajectory } from '../../src/index.js'
import { type ChiSquare, chiSquare } from './chi-square.js'
import { FakeWorker } from './fake-worker.js'
import { GuidedWorker } from './guided.js'
import type { Toy } from './toy-model.js'

/** Decodes `count` images, whatever by: returns the ids of each, [length]. */
export type DecodeImages = (count: number) => Iterable<Int32Array> | Promise<Iterable<Int32Array>>

/**
 * How likely such images are under the true distribution (`enumerate`), by a chi-square test over whole
 * sequences.
 *
 * Usage: fix the seed, and `expect(pValue).toBeGreaterThan(alarm)`: a right decoder fails for a share `alarm`
 * of seeds.
 */
export async function testDistribution(
  decode: DecodeImages,
  truth: ReadonlyMap<string, number>,
  samples: number,
): Promise<ChiSquare> {
  const counts = new Map<string, number>()
  for (const tokens of await decode(samples)) {
    const key = tokens.join(' ')
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return chiSquare(counts, truth)
}

/** Decodes images of a toy with a policy, one by one, under guidance or without. */
export function decodeToy(
  toy: Toy,
  policy: DecodingPolicy,
  sampling: Sampling,
  seed: number,
  guidance = 1,
): (count: number) => Int32Array[] {
  return (count) =>
    Array.from({ length: count }, (_, index) => {
      const image = new Trajectory({ model: toy.model, policy, sampling, seed, index })
      const worker = guidance === 1 ? new FakeWorker(toy) : new GuidedWorker(toy, guidance)
      worker.decode(image)
      return image.tokens
    })
}
