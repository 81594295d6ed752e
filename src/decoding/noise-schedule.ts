import type { Model } from './model.js'

/** How much signal and how much noise a latent holds: `alpha * x0 + sigma * noise`. */
export interface SignalAndNoise {
  readonly alpha: number
  readonly sigma: number
}

/** A function of the timestep on [0, 1]: no noise at 0, (nearly) nothing but noise at 1. */
export type NoiseSchedule = (timestep: number) => SignalAndNoise

const RHO = 7
const SMALLEST = 0.002
const LARGEST = 80

/**
 * Karras spacing of the noise-to-signal ratio `r` from 0.002 to 80 with rho = 7 (arXiv 2206.00364, eq. 5), as
 * a variance-preserving pair `alpha = 1 / sqrt(1 + r^2)`, `sigma = r alpha`. At 0 there is no noise at all.
 */
const karras: NoiseSchedule = (timestep) => {
  if (timestep === 0) return { alpha: 1, sigma: 0 }
  const first = SMALLEST ** (1 / RHO)
  const ratio = (first + timestep * (LARGEST ** (1 / RHO) - first)) ** RHO
  const alpha = 1 / Math.sqrt(1 + ratio * ratio)
  return { alpha, sigma: ratio * alpha }
}

/** `alpha = cos(pi t / 2)`, `sigma = sin(pi t / 2)`; both ends are exact. */
const cosine: NoiseSchedule = (timestep) =>
  timestep === 1
    ? { alpha: 0, sigma: 1 }
    : { alpha: Math.cos((Math.PI / 2) * timestep), sigma: Math.sin((Math.PI / 2) * timestep) }

/** `alpha = 1 - t`, `sigma = t`. */
const linear: NoiseSchedule = (timestep) => ({ alpha: 1 - timestep, sigma: timestep })

/** By the name that a checkpoint gives the schedule it was trained with. */
export const noiseSchedules: Readonly<Record<NonNullable<Model['denoising']>['schedule'], NoiseSchedule>> = {
  karras,
  cosine,
  linear,
}

/**
 * One deterministic step (DDIM, arXiv 2010.02502, eq. 12 without noise), in place, of a latent from timestep
 * `from` to any smaller `to`, towards the clean embedding that stands at `table[offset …]`: `e <-
 * (sigma'/sigma) e + (alpha' - alpha sigma'/sigma) x0`.
 */
export function denoise(
  latent: Float32Array,
  table: Float32Array,
  offset: number,
  schedule: NoiseSchedule,
  from: number,
  to: number,
): void {
  const now = schedule(from)
  const next = schedule(to)
  const keep = next.sigma / now.sigma
  const add = next.alpha - now.alpha * keep
  for (let i = 0; i < latent.length; i += 1) latent[i] = keep * latent[i] + add * table[offset + i]
}
