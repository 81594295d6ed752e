import type { CodeVectors } from './neighbours.js'

/** What decoding must know of a model; made by the engine from the worker's model card. */
export interface Model {
  /** The image codes are the ids `first … first + count - 1`; distributions have `count` entries. */
  readonly image: { readonly first: number; readonly count: number }
  /** The generated sequence, [length]: -1 where an image code is free, else the id that is forced there. */
  readonly layout: Int32Array
  /** Sequence positions per row of the picture, forced ones included: what "above" means. */
  readonly rowLength: number
  /** The checkpoint's noise schedule; null where it was not fine-tuned to denoise. */
  readonly denoising: { readonly schedule: 'karras' | 'cosine' | 'linear' } | null
  /** Normalised embeddings `(E - mean) / deviation` of the image codes, [count, width], and the deviation, [width]. */
  readonly embeddings: CodeVectors & { readonly deviation: Float32Array }
  /** The picture tokenizer's own vectors of the image codes. Absent until a policy that compares by them is served. */
  codebook?: CodeVectors
}
