/** Options that several commands share, besides those of the model and its worker. */
import type { Command } from 'commander'
import { natural, notNegative, share } from './values.js'

export interface JsonOption {
  readonly json?: boolean
}

/** How a table is printed. */
export interface TableOptions {
  readonly json?: boolean
  readonly markdown?: boolean
}

/** Which prompts. */
export interface PromptOptions {
  readonly prompts?: string
  readonly skipBadPrompts?: true
}

/** How distributions are filtered; what is not given comes from the checkpoint. */
export interface SamplingOptions {
  readonly temperature?: number
  readonly topK?: number
  readonly topP?: number
}

/** What a file of prompts may be. */
export const PROMPTS =
  'a file with one prompt a line (# begins a comment), JSON lines with "prompt", or a table with a column Prompt; -: ' +
  'standard input'

export const addSkipBadPrompts = (command: Command): Command =>
  command.option(
    '--skip-bad-prompts',
    'leave out prompts that the model cannot be given, too long ones for example, and say which',
  )

export function addSamplingOptions(command: Command): Command {
  return command
    .optionsGroup('Sampling (default: the model’s):')
    .option('--temperature <t>', 'sharpens below 1, flattens above; 0: greedy', notNegative)
    .option('--top-k <k>', 'only the k likeliest codes; 0: all', natural)
    .option('--top-p <p>', 'only the likeliest codes that together have probability p; 1: all', share)
}
