import { type Ask, type ReplyTo, WorkerError } from '../bridge/index.js'
import type { TokenizedPrompt } from './job.js'

/** A prompt that the model cannot be given: why, and what to do. */
export interface RefusedPrompt {
  readonly refused: { readonly message: string; readonly remedy: string }
}

/** Prompts in a message: few enough that other requests need not wait long. */
const TOGETHER = 64

/**
 * Prompts in the model's ids, in their order. What a prompt's ids stand for beyond the vocabulary is only counted here: the
 * worker makes that when an image begins.
 * @param onProgress told after each message how many prompts are done.
 */
export async function tokenizeEach(
  request: (ask: Ask<'tokenize'>) => Promise<{ readonly head: ReplyTo<'tokenize'> }>,
  prompts: readonly string[],
  onProgress?: (done: number) => void,
): Promise<(TokenizedPrompt | RefusedPrompt)[]> {
  const all: (TokenizedPrompt | RefusedPrompt)[] = []
  while (all.length < prompts.length) {
    const some = prompts.slice(all.length, all.length + TOGETHER)
    const { head } = await request({ op: 'tokenize', prompts: some })
    all.push(
      ...head.prompts.map((prompt, i) => {
        if ('refused' in prompt) return prompt
        const { vectors: count, ...ids } = prompt
        return count === undefined ? ids : { ...ids, vectors: { prompt: some[i], count } }
      }),
    )
    onProgress?.(all.length)
  }
  return all
}

/** @throws WorkerError `bad-prompt` for the first that is refused. */
export function assertRead(prompts: readonly (TokenizedPrompt | RefusedPrompt)[]): TokenizedPrompt[] {
  return prompts.map((prompt) => {
    if (!('refused' in prompt)) return prompt
    throw new WorkerError('bad-prompt', prompt.refused.message, prompt.refused.remedy)
  })
}

/** Tokens of the longest prompt, of either branch. */
export const longestOf = (prompts: readonly TokenizedPrompt[]): number =>
  prompts.reduce(
    (most, { conditional, unconditional }) => Math.max(most, conditional.length, unconditional.length),
    0,
  )
