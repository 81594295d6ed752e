/** How probabilities are made of logits: temperature, then top-k, then top-p. */
export interface Sampling {
  /** Divides the logits. 0: all mass on the largest. */
  readonly temperature: number
  /** Only the `topK` largest keep mass; 0: off. Of equal ones, the lower codes. */
  readonly topK: number
  /**
   * Only the smallest set of the most probable whose mass reaches `topP` keeps mass; 1: off. Ties as for
   * `topK`.
   */
  readonly topP: number
}

/** @throws RangeError naming the setting that no distribution can be made with. */
export function checkSampling({ temperature, topK, topP }: Sampling): void {
  if (!(temperature >= 0 && temperature < Infinity)) {
    throw new RangeError(`The temperature must be 0 (greedy) or positive, not ${temperature}.`)
  }
  if (!Number.isInteger(topK) || topK < 0) {
    throw new RangeError(`Top-k must be 0 (off) or a positive integer, not ${topK}.`)
  }
  if (!(topP > 0 && topP <= 1)) {
    throw new RangeError(`Top-p must be above 0 and at most 1 (off), not ${topP}.`)
  }
}
