import { filteredRace, type Logits } from './kernels.js'
import { probabilities, type Sampling } from './probabilities.js'
import { race } from './sample.js'

/** Below it, logits over the temperature are too large for the kernel's single precision. */
const LEAST_TEMPERATURE = 1e-3

/** A position's noise, of `count` codes. */
export interface RaceNoise {
  /** `ImageRandom.gumbels`. */
  readonly gumbels: Float32Array
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
  const { gumbels } = noise
  if (sampling.topP === 1 && sampling.temperature >= LEAST_TEMPERATURE) {
    const code = filteredRace(logits, offset, sampling, gumbels)
    if (code >= 0) return code
  }
  if (scratch.length !== gumbels.length) scratch = new Float32Array(gumbels.length)
  probabilities(logits, offset, sampling, scratch)
  return race(scratch, noise.exponentials)
}
