import {
  type CodeVectors,
  type Draft,
  NO_CODE,
  type Pass,
  type Purpose,
  race,
  type Sampling,
  Trajectory,
  type TrajectoryOptions,
} from '../../src/index.js'
import { FakeWorker } from './fake-worker.js'
import type { Toy } from './toy-model.js'

export const plainSampling: Sampling = { temperature: 1, topK: 0, topP: 1 }

/**
 * A pass in which every position has the distribution `p`, and chance is what the test says. Without
 * `vectors`, all codes look alike.
 */
export function passOf(
  p: Float32Array,
  chance: Partial<Record<Purpose, number>>,
  exponentials = new Float32Array(p.length).fill(1),
  vectors: CodeVectors = { table: new Float32Array(p.length), width: 1 },
): Pass {
  return {
    number: 0,
    drafts: [],
    behind: () => ({ position: 1000, code: NO_CODE, proposal: null, noise: null }),
    model: {
      image: { first: 0, count: p.length },
      layout: Int32Array.of(-1),
      rowLength: 1,
      denoising: null,
      embeddings: { ...vectors, deviation: new Float32Array(vectors.width).fill(1) },
      codebook: vectors,
    },
    distribution: () => p,
    proposal: () => ({ kind: 'dense', probabilities: p }),
    winner: () => race(p, exponentials),
    uniform: (purpose) => chance[purpose] ?? 0.5,
    exponentials: () => exponentials,
  }
}

export function draftOf(values: Partial<Draft>): Draft {
  return { position: 0, code: NO_CODE, proposal: null, noise: null, ...values }
}

/** A trajectory and the fake worker that decodes it. */
export function start(
  toy: Toy,
  options: Omit<TrajectoryOptions, 'model' | 'sampling' | 'seed' | 'index'> & Partial<TrajectoryOptions>,
) {
  const image = new Trajectory({ model: toy.model, sampling: plainSampling, seed: 1, index: 0, ...options })
  return { image, worker: new FakeWorker(toy) }
}
