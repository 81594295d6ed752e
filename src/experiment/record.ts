/** What is written down of an image: all that makes it again, and what it took. */
import type { PolicyOverrides } from '../policies/index.js'
import type { FinishedImage, ImageRequest } from './images.js'

/** With a checkpoint, these decide the image. */
export interface ImageSettings {
  readonly prompt: string
  readonly policy: string
  readonly exact: boolean
  readonly parameters: PolicyOverrides
  readonly guidance: number
  readonly temperature: number
  readonly topK: number
  readonly topP: number
  readonly seed: number
  readonly index: number
}

export interface ImageResult {
  /** Ids over the whole layout. */
  readonly tokens: readonly number[]
  readonly passes: number
  /** Image tokens for each pass; the passes that only read the prompt are not counted. */
  readonly compression: number
  /** Wall time from the image's start to its last token; others may have been decoded with it. */
  readonly seconds: number
}

export function settingsOf(request: ImageRequest): ImageSettings {
  const { prompt, policy, parameters, guidance, sampling, seed, index } = request
  const { name, exact } = policy
  return { prompt, policy: name, exact, parameters, guidance, ...sampling, seed, index }
}

export function resultOf({ tokens, statistics, compression }: FinishedImage): ImageResult {
  const { passes, seconds } = statistics
  return { tokens: [...tokens], passes, compression, seconds }
}
