import type { Draft } from './draft.js'
import type { Model } from './model.js'
import { ANCHOR, LATENT, type PassPlan } from './pass.js'

/**
 * The pass that feeds, behind the first `valid` cells, what is committed and not in a cell (always at least
 * the last committed token), then the drafts with the forced tokens between them. Rows: what predicts each
 * draft, then what predicts the `bonus` position behind them.
 */
export function planChain(
  model: Model,
  tokens: Int32Array,
  valid: number,
  drafts: readonly Draft[],
  bonus: number,
): PassPlan {
  const { image, embeddings } = model
  const first = valid - 1
  const entries = bonus - first
  const positions = new Int32Array(entries)
  const ids = new Int32Array(entries)
  for (let i = 0; i < entries; i += 1) {
    positions[i] = first + i
    ids[i] = first + i < 0 ? ANCHOR : tokens[first + i]
  }
  const noisy = drafts.filter(({ noise }) => noise !== null).length
  const latents = new Float32Array(noisy * embeddings.width)
  const timesteps = new Float32Array(noisy)
  const rows = new Int32Array(drafts.length + 1)
  let latent = 0
  drafts.forEach(({ position, code, noise }, i) => {
    rows[i] = position - valid
    ids[position - first] = noise === null ? image.first + code : LATENT
    if (noise === null) return
    latents.set(noise.latent, latent * embeddings.width)
    timesteps[latent] = noise.timestep
    latent += 1
  })
  rows[drafts.length] = bonus - valid
  return { base: valid, tokens: ids, positions, latents, timesteps, rows }
}
