// Generated from protocol/schema.json by `npm run protocol`: do not edit.

/**
 * Heads of all messages between orchestrator and worker, protocol version 6. See protocol/README.md.
 */
export type Message = Request | Reply
export type Request =
  | HelloRequest
  | TokenizeRequest
  | ReserveRequest
  | EmbeddingsRequest
  | ForwardRequest
  | DecodeRequest
  | StatsRequest
  | ShutdownRequest
/**
 * Chosen by the orchestrator; the reply carries the same.
 */
export type Id = number
export type Count = number
export type Tensors = Tensor[]
export type Reply =
  | HelloReply
  | TokenizeReply
  | ReserveReply
  | EmbeddingsReply
  | ForwardReply
  | DecodeReply
  | StatsReply
  | ShutdownReply
  | ErrorReply

export interface HelloRequest {
  op: 'hello'
  id: Id
  /**
   * The version the orchestrator speaks; any other is refused.
   */
  protocol: number
  /**
   * How many slots it wants for itself, at most all that there are; absent: all.
   */
  slots?: number
  /**
   * Whether it can read memory that is shared with the worker.
   */
  memory?: boolean
}
export interface TokenizeRequest {
  op: 'tokenize'
  id: Id
  prompts: string[]
}
export interface ReserveRequest {
  op: 'reserve'
  id: Id
  /**
   * Tokens of a prompt that slots are to have room for, at most hello's longestPrompt.
   */
  promptCells: number
}
export interface EmbeddingsRequest {
  op: 'embeddings'
  id: Id
  /**
   * Whose vectors of the image codes: the model's input embeddings (absent: these), or those of the picture tokenizer.
   */
  of?: 'model' | 'codebook'
}
/**
 * Tensors: tokens i32 [N] (-1: the next latent, -2: the anchor), positions i32 [N], rows i32 [R] (entries, counted within their lane, whose logits are wanted), latents f32 or f16 [M, width] (normalised), timesteps f32 [M], mask u8 (for each lane that says mask: entries x ceil((before + entries)/8) bytes, bit i of byte i/8, least significant first; may be absent).
 */
export interface ForwardRequest {
  op: 'forward'
  id: Id
  /**
   * @minItems 1
   */
  lanes: Lane[]
  /**
   * Prompts whose vectors the ids from the vocabulary's end on name in this request: the first's are vocabulary ... vocabulary + count - 1, the others' follow. Absent: none.
   */
  vectors?: {
    prompt: string
    /**
     * As tokenize says.
     */
    count: number
  }[]
  /**
   * How the logits come back.
   */
  logits: 'f32' | 'f16'
  /**
   * Put the logits into the shared memory, from this byte on; absent: into a frame.
   */
  at?: number
  tensors: Tensors
}
/**
 * One image's share of a forward pass (or one branch's prompt, when it is prefilled).
 */
export interface Lane {
  /**
   * @minItems 1
   * @maxItems 2
   */
  branches: Branch[]
  /**
   * g of l_u + g (l_c - l_u); required with two branches.
   */
  guidance?: number
  /**
   * How many of the flat entries are this lane's.
   */
  entries: number
  /**
   * How many of the flat rows are this lane's.
   */
  rows: number
  /**
   * chain: each entry sees the lane's entries before it. mask: as the bitmap says.
   */
  visibility: 'chain' | 'mask'
  /**
   * How many of the cells that end at base the bitmap says of too, ahead of the entries. Absent: none, every entry sees all of them.
   */
  before?: number
  /**
   * Before the pass, these cells (counted from the slot's start, ascending) are copied, in order, so that they end at base. Needed after a tree.
   */
  keep?: Count[]
}
/**
 * One key/value slot that a lane's entries run through: the conditional one, then the unconditional.
 */
export interface Branch {
  slot: Count
  /**
   * How many cells of the slot are valid; entries are written from there on.
   */
  base: number
  /**
   * Length of this branch's prompt: a position j stands at prompt + j of the sequence.
   */
  prompt: number
  /**
   * Id of the prompt's last token, fed where tokens say -2.
   */
  anchor: number
}
/**
 * Describes one raw frame: little-endian, row-major, in the order of this list.
 */
export interface Tensor {
  name: string
  dtype: 'f32' | 'f16' | 'i32' | 'u8'
  shape: Count[]
  /**
   * Of a reply: it has no frame, but lies in the shared memory from this byte on.
   */
  at?: number
}
/**
 * Tensors: codes i32 [B, rows * columns], image codes counted from 0.
 */
export interface DecodeRequest {
  op: 'decode'
  id: Id
  tensors: Tensors
}
export interface StatsRequest {
  op: 'stats'
  id: Id
}
export interface ShutdownRequest {
  op: 'shutdown'
  id: Id
}
export interface HelloReply {
  op: 'hello'
  id: Id
  ok: true
  protocol: number
  /**
   * The worker's version.
   */
  worker: string
  torch: string
  device: string
  dtype: string
  /**
   * Key/value slots that are this orchestrator's, counted from 0; an image with guidance takes two.
   */
  slots: number
  /**
   * The memory that is shared; absent: none.
   */
  memory?: {
    /**
     * Where it can be opened, on this machine.
     */
    path: string
    /**
     * What it begins with; who finds something else at the path does not share it.
     */
    mark: string
  }
  /**
   * Cells of a slot.
   */
  cells: number
  /**
   * Tokens of a prompt that a slot has room for; reserve makes it more.
   */
  promptCells: number
  /**
   * Tokens that a prompt may have at most: behind it, the model's positions have room for a picture.
   */
  longestPrompt: number
  /**
   * The most entries, over all lanes and branches, of one forward.
   */
  maxEntries: number
  /**
   * What a user should know of how the model was loaded; absent: nothing.
   */
  warnings?: string[]
  model: ModelCard
}
/**
 * All that decoding must know of a model. The orchestrator knows no family by name.
 */
export interface ModelCard {
  family: string
  name: string
  /**
   * SHA-256 over the checkpoint's weights and config.
   */
  hash: string
  /**
   * Ids the model takes as entries.
   */
  vocabulary: number
  /**
   * The image codes are the ids first ... first + count - 1; logits cover these.
   */
  image: {
    first: Count
    count: Count
  }
  grid: {
    rows: Count
    columns: Count
  }
  picture: {
    height: Count
    width: Count
  }
  /**
   * Length of an embedding.
   */
  width: number
  /**
   * The generated sequence: -1 where an image code is free, else the id that is forced there.
   */
  layout: number[]
  /**
   * How noisy entries were trained; null where the checkpoint knows none.
   */
  denoising: null | {
    schedule: 'karras' | 'cosine' | 'linear'
  }
  /**
   * How a prompt is put to the model, {prompt} standing for it; and what the unconditional branch is given. Absent where prompts are taken as they are.
   */
  prompt?: {
    template: string
    unconditional: string
  }
  /**
   * Recommended settings.
   */
  sampling: {
    guidance: number
    temperature: number
    /**
     * 0: off.
     */
    topK: number
    /**
     * 1: off.
     */
    topP: number
  }
}
export interface TokenizeReply {
  op: 'tokenize'
  id: Id
  ok: true
  prompts: (ReadPrompt | RefusedPrompt)[]
}
export interface ReadPrompt {
  /**
   * @minItems 1
   */
  conditional: Count[]
  /**
   * @minItems 1
   */
  unconditional: Count[]
  /**
   * Words that the model cannot read and that were left out.
   */
  unknown: string[]
  /**
   * Words that it can read, but that stand past the longest prompt and were left out.
   */
  cut?: string[]
  /**
   * How many vectors the prompt has: its ids vocabulary, vocabulary + 1 ... stand for them; absent: none.
   */
  vectors?: number
}
/**
 * A prompt that the model cannot be given: too long, or none of those that it knows.
 */
export interface RefusedPrompt {
  refused: {
    message: string
    remedy: string
  }
}
export interface ReserveReply {
  op: 'reserve'
  id: Id
  ok: true
  /**
   * Cells of a slot, now.
   */
  cells: number
  /**
   * Tokens of a prompt that a slot has room for, now.
   */
  promptCells: number
}
/**
 * Tensors: table f32 [count, width] (rows of the image codes as the model takes them), mean f32 [width], deviation f32 [width]; or, of the codebook, codebook f32 [count, its own width].
 */
export interface EmbeddingsReply {
  op: 'embeddings'
  id: Id
  ok: true
  tensors: Tensors
}
/**
 * Tensors: logits f32 or f16 [R, image count], guided, in the order of the rows.
 */
export interface ForwardReply {
  op: 'forward'
  id: Id
  ok: true
  /**
   * What the model's forward took in the worker.
   */
  seconds: number
  /**
   * When the request was there, and when the forward began and ended: seconds on the clock that the processes of a machine share (CLOCK_MONOTONIC).
   */
  clock?: {
    received: number
    began: number
    ended: number
  }
  tensors: Tensors
}
/**
 * Tensors: pictures u8 [B, height, width, 3].
 */
export interface DecodeReply {
  op: 'decode'
  id: Id
  ok: true
  tensors: Tensors
}
export interface StatsReply {
  op: 'stats'
  id: Id
  ok: true
  forwards: Count
  entries: Count
  forwardSeconds: number
  cacheBytes: Count
  /**
   * Most memory held: of the device, or of the process on a CPU.
   */
  peakBytes: number
  /**
   * Of the worker, over all orchestrators.
   */
  slots?: number
  /**
   * How many of them an orchestrator holds.
   */
  leased?: number
}
export interface ShutdownReply {
  op: 'shutdown'
  id: Id
  ok: true
}
export interface ErrorReply {
  op: 'error'
  id: Id
  ok: false
  code:
    | 'protocol-version'
    | 'busy'
    | 'no-lease'
    | 'bad-message'
    | 'too-large'
    | 'bad-slot'
    | 'bad-token'
    | 'bad-prompt'
    | 'not-finite'
    | 'out-of-memory'
    | 'internal'
  message: string
  /**
   * What the caller can do.
   */
  remedy: string
}
