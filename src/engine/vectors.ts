import { ANCHOR } from '../decoding/index.js'
import type { PromptVectors } from './job.js'
import type { LanePlan } from './lane.js'

export interface NamedLanes {
  readonly lanes: readonly LanePlan[]
  /** The prompts whose vectors the lanes feed. */
  readonly vectors: readonly PromptVectors[]
}

/**
 * A prompt may hold entries that are no token: its ids from the vocabulary's end on name its own vectors. In a request
 * such ids name those of all its prompts, one prompt's behind the other's: this says which prompts these are, each once, and
 * numbers the ids anew.
 */
export function nameVectors(lanes: readonly LanePlan[], vocabulary: number): NamedLanes {
  const prompts: PromptVectors[] = []
  /** How far each prompt's ids are moved. */
  const shifts = new Map<string, number>()
  let total = 0

  function name(id: number, vectors: PromptVectors): number {
    if (id < vocabulary) return id
    let shift = shifts.get(vectors.prompt)
    if (shift === undefined) {
      shift = total
      total += vectors.count
      shifts.set(vectors.prompt, shift)
      prompts.push(vectors)
    }
    return id + shift
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

  return { lanes: lanes.map(named), vectors: prompts }
}
