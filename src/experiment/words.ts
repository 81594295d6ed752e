/** Words that a model cannot read. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TokenizedPrompt } from '../engine/index.js'
import { ExperimentError } from './error.js'

/** The words that a checkpoint with a closed vocabulary knows, from its config; null where none lists them. */
export async function knownWords(checkpoint: string): Promise<string[] | null> {
  const text = await readFile(join(checkpoint, 'config.json'), 'utf8').catch(() => '{}')
  const config: unknown = JSON.parse(text)
  if (typeof config !== 'object' || config === null || !('words' in config)) return null
  return Array.isArray(config.words) ? config.words.map(String) : null
}

/**
 * Refuses prompts of which the model can read nothing, and says which words of the others are left out.
 * @returns a warning for each prompt with unknown words, and then the words that are known.
 * @throws ExperimentError `bad-prompt`
 */
export function checkWords(
  prompts: readonly string[],
  tokenized: readonly TokenizedPrompt[],
  known: readonly string[] | null,
): string[] {
  const vocabulary = known ? [`The model knows: ${known.join(', ')}.`] : []
  const warnings = tokenized.flatMap(({ unknown, conditional, unconditional }, i) => {
    if (unknown.length === 0) return []
    if (conditional.join() === unconditional.join()) {
      throw new ExperimentError(
        'bad-prompt',
        `The model knows no word of the prompt "${prompts[i]}".`,
        ['Say it in words that the model knows.', ...vocabulary].join(' '),
      )
    }
    const words = [...new Set(unknown)].map((word) => `"${word}"`).join(', ')
    return [`"${prompts[i]}": the model does not know ${words}: left out.`]
  })
  return warnings.length === 0 ? [] : [...warnings, ...vocabulary]
}
