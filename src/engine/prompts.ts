import { type Answer, floats } from '../bridge/index.js'
import type { TokenizedPrompt } from './job.js'

/** The prompts of a `tokenize` reply, each with its own of the vectors. */
export function tokenizedPrompts({ head, tensors }: Answer<'tokenize'>, width: number): TokenizedPrompt[] {
  const total = head.prompts.reduce((sum, { vectors = 0 }) => sum + vectors, 0)
  const all = total > 0 ? floats(tensors, 'vectors', [total, width]) : new Float32Array()
  let row = 0
  return head.prompts.map(({ vectors = 0, ...prompt }) => {
    if (vectors === 0) return prompt
    const start = row * width
    row += vectors
    return { ...prompt, vectors: all.subarray(start, row * width) }
  })
}
