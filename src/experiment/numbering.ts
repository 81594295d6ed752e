/** Pictures' indices: each counts the pictures of its own prompt under its own seed, and nothing else. */
import type { ManifestImage } from './manifest.js'
import type { Prompt } from './prompts.js'

export interface Numbering {
  readonly seed: number
  /** Pictures of each prompt; default: 1. */
  readonly count?: number
  /** Index of the first; default: 0. */
  readonly first?: number
}

/**
 * The images of a list of prompts, `count` for each. Where a prompt occurs again, its index goes on, so that neither the
 * order nor the other prompts change any picture.
 */
export function numbered(
  prompts: Iterable<Pick<Prompt, 'text' | 'fields'>>,
  { seed, count = 1, first = 0 }: Numbering,
): ManifestImage[] {
  const next = new Map<string, number>()
  const images: ManifestImage[] = []
  for (const { text: prompt, fields } of prompts) {
    const from = next.get(prompt) ?? first
    next.set(prompt, from + count)
    for (let index = from; index < from + count; index++) {
      images.push({ prompt, seed, index, ...(fields && { fields }) })
    }
  }
  return images
}
