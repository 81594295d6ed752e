import type { Lane } from '../bridge/index.js'
import type { PassPlan } from '../decoding/index.js'
import type { PromptVectors } from './job.js'

/** One guidance branch of an image: its key/value slot, and its prompt in ids of the model. */
export interface Branch {
  readonly slot: number
  readonly prompt: readonly number[]
}

/** A plan and the branches that it runs through. */
export interface LanePlan {
  readonly branches: readonly Branch[]
  readonly guidance: number
  readonly plan: PassPlan
  /** What the prompt's ids from the vocabulary's end on stand for. */
  readonly vectors?: PromptVectors | undefined
}

/** Entries that a lane adds to a forward, over all its branches. */
export function weightOf({ branches, plan }: LanePlan): number {
  return branches.length * plan.tokens.length
}

/**
 * What fills the cells of a prompt, less its last token: that one is the anchor, which the first pass feeds. Its cell
 * is the plan's origin, so the prompt's cells lie before it.
 */
export function promptPlan(prompt: readonly number[]): PassPlan {
  const length = prompt.length
  return {
    base: 1 - length,
    tokens: Int32Array.from(prompt.slice(0, -1)),
    positions: Int32Array.from(prompt.slice(0, -1), (_, i) => i - length),
    latents: new Float32Array(),
    timesteps: new Float32Array(),
    rows: new Int32Array(),
  }
}

/** How the wire says it: cells are counted from the slot's start, before the prompt; `keep` in the first branch's. */
export function laneHead({ branches, guidance, plan }: LanePlan): Lane {
  const origins = branches.map(({ prompt }) => prompt.length - 1)
  return {
    branches: branches.map(({ slot, prompt }, i) => ({
      slot,
      base: origins[i] + plan.base,
      prompt: prompt.length,
      anchor: prompt[origins[i]],
    })),
    ...(branches.length === 2 && { guidance }),
    entries: plan.tokens.length,
    rows: plan.rows.length,
    visibility: plan.mask === undefined ? 'chain' : 'mask',
    ...(plan.before && { before: plan.before }),
    ...(plan.keep && { keep: Array.from(plan.keep, (cell) => origins[0] + cell) }),
  }
}
