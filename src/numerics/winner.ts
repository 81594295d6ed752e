import { filteredRace, type Logits, type StrongNoise } from './kernels.js'
import { HIGHEST_TEMPERATURE, probabilities } from './probabilities.js'
import { race } from './sample.js'
import type { Sampling } from './sampling.js'

/** Below it, logits over the temperature are too large for the kernel's single precision. */
const LOWEST_TEMPERATURE = 1e-3

/** A position's noise. */
export interface RaceNoise {
  /** How many codes there are. */
  readonly count: number
  /** `ImageRandom.strong`. */
  readonly strong: StrongNoise
  /** `ImageRandom.exponentials` of the same position; made when asked for. */
  readonly exponentials: Float32Array
}

let scratch = new Float32Array(0)

/**
 * `race(p, exponentials)` for the probabilities `p` that the logits from `offset` on have: the very same code, mostly
 * without making `p`. Where two codes come within 1e-4 (nats) of each other, `p` decides.
 *
 * @throws RangeError as `probabilities` does.
 */
export function winner(logits: Logits, offset: number, sampling: Sampling, noise: RaceNoise): number {
  const { count } = noise
  const { temperature, topP } = sampling
  if (topP === 1 && temperature >= LOWEST_TEMPERATURE && temperature <= HIGHEST_TEMPERATURE) {
    const code = filteredRace(logits, offset, count, sampling, noise.strong)
    if (code >= 0) return code
  }
  if (scratch.length !== count) scratch = new Float32Array(count)
  probabilities(logits, offset, sampling, scratch)
  return race(scratch, noise.exponentials)
}
