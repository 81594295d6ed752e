import type { Logits } from '../numerics/index.js'

/** Token id that stands for "the next latent". */
export const LATENT = -1
/** Token id that stands for the prompt's last token (each guidance branch has its own); its position is -1. */
export const ANCHOR = -2

/**
 * What one image wants forwarded in one pass. Cell `j + 1` of an image holds position `j` (cell 0 holds the anchor), so
 * a chain that begins at position `p` has `base = p + 1`; but where a policy keeps keys, cells lie as they were fed.
 */
export interface PassPlan {
  /** Valid cells after the prompt (the anchor's is the first): entries are written from there on. */
  readonly base: number
  /** [entries] ids of the model, `LATENT` or `ANCHOR`. */
  readonly tokens: Int32Array
  /** [entries] positions in the generated sequence, -1 for the anchor. */
  readonly positions: Int32Array
  /** [latents, width] normalised latents, for the entries that say `LATENT`, in order. */
  readonly latents: Float32Array
  /** [latents] timesteps on (0, 1]. */
  readonly timesteps: Float32Array
  /** [rows] entries whose logits are wanted, ascending. */
  readonly rows: Int32Array
  /** Absent: each entry sees those before it. Else [entries * ceil((before + entries) / 8)] bits, least significant first. */
  readonly mask?: Uint8Array
  /** How many of the cells that end at `base` the mask says of too, ahead of the entries. Absent: all entries see all of them. */
  readonly before?: number
  /** Cells (counted like `base`) to copy, in order, so that they end at `base`, before the pass. */
  readonly keep?: Int32Array
}

/** What the engine decodes: any pure state machine that plans passes and takes their logits. */
export interface Decodable {
  readonly done: boolean
  /** The next pass. Calling it again without `advance` gives an equal plan. Its latents stay until the plan after it. */
  plan(): PassPlan
  /** Takes the logits of the plan's rows, [rows, image count], guided. */
  advance(logits: Logits): void
  /**
   * Does a little, in some tens of microseconds, of what the next `advance` will do anyway, while its logits are on their
   * way. False where nothing is left to do. Nothing that can be seen of the image changes by it.
   */
  prepare?(): boolean
  /** [length] The image as it stands, in ids: where nothing is final, what will most likely be there. */
  preview?(): Int32Array
  /** Whether it may still read logits that lie in this memory: as long as it does, they must not change. */
  holds(memory: ArrayBufferLike): boolean
  /** Makes now what it would make later of logits that it holds, so that it holds none. */
  detach?(): void
  /** The worker's cells are lost: the next plan starts from the anchor and keeps nothing. */
  forgetCells(): void
}
