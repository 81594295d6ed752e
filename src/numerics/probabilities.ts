import { filteredProbabilities, floatsOf, type Logits } from './kernels.js'
import type { Sampling } from './sampling.js'
import { kthLargest } from './select.js'

/** Up to here, logits that lie farther apart than single precision can tell have no chance beside each other. */
export const HIGHEST_TEMPERATURE = 1e30

let scratch = new Float32Array(0)

/**
 * Probabilities of the logits `logits[offset … offset + out.length - 1]` under `sampling`, written to `out`:
 * at least one positive, summing to 1. The relative error of each that exceeds 1e-30 is below 2^-22.
 *
 * @throws LogitsError where the logits define no distribution (a NaN, +infinity, or nothing finite).
 */
export function probabilities(logits: Logits, offset: number, sampling: Sampling, out: Float32Array): void {
  const { temperature, topP } = sampling
  const plain = temperature === 0 || temperature > HIGHEST_TEMPERATURE || topP < 1
  if (!plain && filteredProbabilities(logits, offset, sampling, out)) return
  if (logits instanceof Float32Array) plainProbabilities(logits, offset, sampling, out)
  else plainProbabilities(floatsOf(logits, offset, out.length), 0, sampling, out)
}

/** What `probabilities` computes, in plain TypeScript. */
export function plainProbabilities(
  logits: Float32Array,
  offset: number,
  sampling: Sampling,
  out: Float32Array,
): void {
  const count = out.length
  let largest = offset
  for (let i = offset; i < offset + count; i += 1) {
    if (logits[i] > logits[largest]) largest = i
    else if (Number.isNaN(logits[i])) throw notFinite('a NaN')
  }
  const maximum = logits[largest]
  if (!Number.isFinite(maximum)) throw notFinite(`a largest value of ${maximum}`)
  if (sampling.temperature === 0) {
    out.fill(0)
    out[largest - offset] = 1
    return
  }
  for (let v = 0; v < count; v += 1) out[v] = Math.exp((logits[offset + v] - maximum) / sampling.temperature)
  if (sampling.topK > 0 && sampling.topK < count) keepTop(logits, offset, sampling.topK, out)
  if (sampling.topP < 1) keepNucleus(logits, offset, sampling, out)
  const total = sum(out)
  for (let v = 0; v < count; v += 1) out[v] /= total
}

function keepTop(logits: Float32Array, offset: number, k: number, weights: Float32Array): void {
  const copy = copyOf(logits, offset, weights.length)
  keepLargest(logits, offset, k, kthLargest(copy, copy.length, k), weights)
}

function keepNucleus(
  logits: Float32Array,
  offset: number,
  { topP, temperature }: Sampling,
  weights: Float32Array,
): void {
  const wanted = topP * sum(weights)
  const ascending = copyOf(logits, offset, weights.length).sort()
  const maximum = ascending[ascending.length - 1]
  let kept = 1
  let mass = 1
  while (kept < ascending.length && mass < wanted) {
    kept += 1
    mass += Math.exp((ascending[ascending.length - kept] - maximum) / temperature)
  }
  keepLargest(logits, offset, kept, ascending[ascending.length - kept], weights)
}

/**
 * Clears the weights of all but the `k` largest logits, the last of which is `threshold`; of equal ones the
 * lower codes stay. (Logits are compared, since the weights of close or of tiny ones round to equal numbers.)
 */
function keepLargest(
  logits: Float32Array,
  offset: number,
  k: number,
  threshold: number,
  weights: Float32Array,
): void {
  let ties = k
  for (let v = 0; v < weights.length; v += 1) if (logits[offset + v] > threshold) ties -= 1
  for (let v = 0; v < weights.length; v += 1) {
    const logit = logits[offset + v]
    if (logit < threshold || (logit === threshold && ties-- <= 0)) weights[v] = 0
  }
}

function copyOf(logits: Float32Array, offset: number, count: number): Float32Array {
  if (scratch.length < count) scratch = new Float32Array(count)
  const copy = scratch.subarray(0, count)
  copy.set(logits.subarray(offset, offset + count))
  return copy
}

function sum(values: Float32Array): number {
  let total = 0
  for (let v = 0; v < values.length; v += 1) total += values[v]
  return total
}

function notFinite(what: string): LogitsError {
  return new LogitsError(`The model's logits hold ${what}, which makes no distribution.`)
}

/** What a model said defines no distribution: its weights or the scale of guidance are to blame, not the program. */
export class LogitsError extends RangeError {
  override readonly name = 'LogitsError'
  readonly code = 'bad-logits'
  readonly remedy =
    'The checkpoint may be damaged, or too large for its number format (try another dtype), or guidance too high.'
}
