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
 * @returns warnings: of each prompt the words that are unknown and those it has no room for, and where there are
 *   unknown ones, then those that are known.
 * @throws ExperimentError `bad-prompt`
 */
export function checkWords(
  prompts: readonly string[],
  tokenized: readonly TokenizedPrompt[],
  known: readonly string[] | null,
): string[] {
  const vocabulary = known ? [`The model knows: ${known.join(', ')}.`] : []
  const warnings = tokenized.flatMap(({ unknown, cut = [], conditional, unconditional, vectors }, i) => {
    if (vectors === undefined && conditional.join() === unconditional.join()) {
      throw new ExperimentError(
        'bad-prompt',
        `The model knows no word of the prompt "${shortened(prompts[i])}".`,
        ['Say it in words that the model knows.', ...vocabulary].join(' '),
      )
    }
    return [
      ...leftOut(prompts[i], 'the model does not know', unknown),
      ...leftOut(prompts[i], 'the prompt is too long for the model, which reads none of', cut),
    ]
  })
  return tokenized.some(({ unknown }) => unknown.length > 0) ? [...warnings, ...vocabulary] : warnings
}

function leftOut(prompt: string, reason: string, words: readonly string[]): string[] {
  if (words.length === 0) return []
  const named = [...new Set(words)].map((word) => `"${shortened(word)}"`).join(', ')
  return [`"${shortened(prompt)}": ${reason} ${named}: left out.`]
}

/** Characters of a prompt that are shown where it is only named. */
const SHOWN = 120

const shortened = (text: string): string => {
  const characters = [...text]
  return characters.length > SHOWN ? `${characters.slice(0, SHOWN - 1).join('')}…` : text
}
