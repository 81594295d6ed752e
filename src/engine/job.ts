import type { ForwardRequest, ReadPrompt } from '../bridge/index.js'
import type { Decodable } from '../decoding/index.js'

/** Vectors that the worker makes of a prompt for the forwards that feed them, and that nobody keeps: how many. */
export type PromptVectors = NonNullable<ForwardRequest['vectors']>[number]

/** A prompt in the model's ids: with the text, without it, and the words that the model cannot read. */
export interface TokenizedPrompt extends Omit<ReadPrompt, 'vectors'> {
  /** What the ids from the vocabulary's end on stand for; absent where all ids are tokens. */
  readonly vectors?: PromptVectors
}

/** One image to decode. */
export interface Job {
  readonly prompt: TokenizedPrompt
  /** `g` of `l_u + g (l_c - l_u)`; 1 needs no unconditional branch. */
  readonly guidance: number
  readonly image: Decodable
}

/** What one image has cost so far. */
export interface JobStatistics {
  /** How often logits advanced the image. */
  readonly passes: number
  /** Entries of those passes; with guidance each runs through both branches and counts once. */
  readonly entries: number
  /** This image's share, by entries, of the model's time in those passes. */
  readonly forwardSeconds: number
  /** Its share of all else that asking for those forwards took: the wire, and the worker's other work. */
  readonly bridgeSeconds: number
  /** What planning its passes and taking their logits took: the policy and its numerics. */
  readonly policySeconds: number
  /** Forwards that only filled cells, from which no logits were wanted: of the prompt, or of what died with a worker. */
  readonly prefillPasses: number
  /** Its share of the wall time of those. */
  readonly prefillSeconds: number
  /** Wall time since the image got its slots. */
  readonly seconds: number
}
