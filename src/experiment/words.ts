/** What a model can read of prompts, and what it cannot. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { RefusedPrompt, TokenizedPrompt } from '../engine/index.js'
import { ExperimentError } from './error.js'
import type { Prompt } from './prompts.js'

/** A prompt that no picture is made of. */
export const leftOutSchema = z.strictObject({
  prompt: z.string(),
  /** Where it stands: `prompts.txt:3`. */
  where: z.string().nullable(),
  reason: z.string(),
})
export type LeftOut = z.infer<typeof leftOutSchema>

/** The words that a checkpoint with a closed vocabulary knows, from its config; null where none lists them. */
export async function knownWords(checkpoint: string): Promise<string[] | null> {
  const text = await readFile(join(checkpoint, 'config.json'), 'utf8').catch(() => '{}')
  const config: unknown = JSON.parse(text)
  if (typeof config !== 'object' || config === null || !('words' in config)) return null
  return Array.isArray(config.words) ? config.words.map(String) : null
}

export interface Reading {
  /** Each prompt that the model can be given. */
  readonly tokenized: ReadonlyMap<string, TokenizedPrompt>
  /** Tokens of the longest of them. */
  readonly longest: number
  readonly leftOut: readonly LeftOut[]
  /** Of each of the others the words that are unknown and those it has no room for; then the words that are known. */
  readonly warnings: readonly string[]
}

export interface Reader {
  /** The words that the model knows, where it knows few. */
  readonly known: readonly string[] | null
  /** Tokens that a prompt may have, where the user said so. */
  readonly most?: number | undefined
  /** Whether prompts that cannot be read are left out. */
  readonly skip?: boolean | undefined
}

/**
 * Sorts prompts into those that the model can be given and those that it cannot: too long, of no word that it knows, or
 * refused by the model's adapter.
 * @param prompts may be there several times.
 * @param tokenized of each different prompt, in their order.
 * @throws ExperimentError `bad-prompt` naming those that cannot be read, unless they are to be left out and others remain.
 */
export function readWords(
  prompts: readonly Prompt[],
  tokenized: readonly (TokenizedPrompt | RefusedPrompt)[],
  { known, most, skip = false }: Reader,
): Reading {
  const vocabulary = known ? [`The model knows: ${known.join(', ')}.`] : []
  const places = placesOf(prompts)
  const texts = [...places.keys()]
  const faults = texts.flatMap((text, i) => {
    const fault = faultOf(text, tokenized[i], vocabulary, most)
    return fault ? [{ prompt: text, where: places.get(text)!.join(', ') || null, ...fault }] : []
  })
  const bad = new Set(faults.map(({ prompt }) => prompt))
  if (faults.length > 0 && (!skip || bad.size === texts.length))
    throw refusal(faults, bad.size < texts.length)
  const read = texts.flatMap((text, i) => {
    const one = tokenized[i]
    return bad.has(text) || 'refused' in one ? [] : [[text, one] as const]
  })
  const warnings = read.flatMap(([text, { unknown, cut = [] }]) => [
    ...leftOutWords(text, 'the model does not know', unknown),
    ...leftOutWords(text, 'the prompt is too long for the model, which reads none of', cut),
  ])
  const some = read.some(([, { unknown }]) => unknown.length > 0)
  return {
    tokenized: new Map(read),
    longest: read.reduce((most, [, one]) => Math.max(most, tokensOf(one)), 0),
    leftOut: faults.map(({ prompt, where, message }) => ({ prompt, where, reason: message })),
    warnings: some ? [...warnings, ...vocabulary] : warnings,
  }
}

/** Where each different prompt stands, in their order. */
function placesOf(prompts: readonly Prompt[]): Map<string, string[]> {
  const places = new Map<string, string[]>()
  for (const { text, where } of prompts) {
    const own = places.get(text) ?? []
    places.set(text, own)
    if (where !== null) own.push(where)
  }
  return places
}

function faultOf(
  text: string,
  tokenized: TokenizedPrompt | RefusedPrompt,
  vocabulary: readonly string[],
  most = Infinity,
): RefusedPrompt['refused'] | undefined {
  if ('refused' in tokenized) return tokenized.refused
  const { conditional, unconditional } = tokenized
  if (conditional.join() === unconditional.join()) {
    return {
      message: `The model knows no word of the prompt "${shortened(text)}".`,
      remedy: ['Say it in words that the model knows.', ...vocabulary].join(' '),
    }
  }
  const tokens = tokensOf(tokenized)
  if (tokens <= most) return undefined
  return {
    message: `The prompt has ${tokens} tokens; --prompt-cells leaves room for ${most}.`,
    remedy: `Give --prompt-cells ${tokens}, leave it out, or say it in fewer words.`,
  }
}

/** Of a prompt's longer branch. */
const tokensOf = ({ conditional, unconditional }: TokenizedPrompt): number =>
  Math.max(conditional.length, unconditional.length)

/** Prompts that are named in a message; of more, how many. */
const NAMED = 10

function refusal(faults: readonly (LeftOutFault & { remedy: string })[], others: boolean): ExperimentError {
  const go = 'To go on with the others: --skip-bad-prompts (in a study, skipBadPrompts: true).'
  return new ExperimentError(
    'bad-prompt',
    named(faults.map(({ where, message }) => (where === null ? message : `${where}: ${message}`))).join('\n'),
    others ? `${faults[0].remedy} ${go}` : faults[0].remedy,
  )
}

type LeftOutFault = Pick<LeftOut, 'where'> & { readonly message: string }

/** The first lines, and how many there are besides. */
export const named = (lines: readonly string[]): string[] =>
  lines.length > NAMED ? [...lines.slice(0, NAMED), `And ${lines.length - NAMED} more.`] : [...lines]

function leftOutWords(prompt: string, reason: string, words: readonly string[]): string[] {
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
