import { type Tensor, tensor } from '../bridge/index.js'
import { ANCHOR } from '../decoding/pass.js'
import { concatenated } from './concatenated.js'
import type { LanePlan } from './lane.js'

export interface NamedLanes {
  readonly lanes: readonly LanePlan[]
  /** [rows, width]; undefined where no lane names any. */
  readonly vectors: Tensor<Float32Array> | undefined
}

/**
 * A prompt may hold entries that are no token: its ids from the vocabulary's end on name its own vectors. In a request
 * such ids name the request's: this gathers the vectors that the lanes feed and numbers them anew.
 */
export function nameVectors(lanes: readonly LanePlan[], vocabulary: number, width: number): NamedLanes {
  const rows: Float32Array[] = []

  function name(id: number, vectors: Float32Array): number {
    if (id < vocabulary) return id
    const start = (id - vocabulary) * width
    return vocabulary + rows.push(vectors.subarray(start, start + width)) - 1
  }

  function named(lane: LanePlan): LanePlan {
    const { plan, vectors } = lane
    if (vectors === undefined) return lane
    const anchored = plan.tokens.includes(ANCHOR)
    const branches = lane.branches.map(({ slot, prompt }) => ({
      slot,
      // of the prompt, a request holds only the last id, and feeds it only where the plan says so
      prompt: prompt.with(-1, anchored ? name(prompt[prompt.length - 1], vectors) : 0),
    }))
    return { ...lane, branches, plan: { ...plan, tokens: plan.tokens.map((id) => name(id, vectors)) } }
  }

  const all = lanes.map(named)
  const found = rows.length > 0
  return {
    lanes: all,
    vectors: found ? tensor(concatenated(Float32Array, rows), [rows.length, width]) : undefined,
  }
}
