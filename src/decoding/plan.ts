import type { Draft } from './draft.js'
import type { Model } from './model.js'
import { ANCHOR, LATENT, type PassPlan } from './pass.js'

/**
 * The pass that feeds, behind the first `valid` cells, what is committed and not in a cell (always at least the last
 * committed token), then the drafts with the forced tokens between them. Rows: what predicts each draft, then what
 * predicts the `bonus` position behind them.
 */
export function planChain(
  model: Model,
  tokens: Int32Array,
  valid: number,
  drafts: readonly Draft[],
  bonus: number,
): PassPlan {
  const first = valid - 1
  const entries = bonus - first
  const positions = Int32Array.from({ length: entries }, (_, i) => first + i)
  const ids = Int32Array.from(positions, (position) => (position < 0 ? ANCHOR : tokens[position]))
  const noises = drafts.flatMap((draft) => (draft.noise === null ? [] : [draft.noise]))
  for (const { position, code, noise } of drafts) {
    ids[position - first] = noise === null ? model.image.first + code : LATENT
  }
  const latents = new Float32Array(noises.length * model.embeddings.width)
  noises.forEach(({ latent }, i) => latents.set(latent, i * model.embeddings.width))
  return {
    base: valid,
    tokens: ids,
    positions,
    latents,
    timesteps: Float32Array.from(noises, ({ timestep }) => timestep),
    rows: Int32Array.from([...drafts.map(({ position }) => position), bonus], (position) => position - valid),
  }
}
