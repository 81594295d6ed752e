/** Where prompts come from. */
import { readFile } from 'node:fs/promises'
import { ExperimentError } from './error.js'

/**
 * Prompts of a text file: one a line; empty lines and lines that begin with `#` are left out.
 * @throws ExperimentError `bad-prompts-file`
 */
export async function readPrompts(file: string): Promise<string[]> {
  const remedy = 'Give a text file with one prompt a line; lines that begin with # are comments.'
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file))
  } catch (error) {
    const reason =
      (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'it does not exist' : (error as Error).message
    throw new ExperimentError('bad-prompts-file', `Cannot read the prompts in ${file}: ${reason}.`, remedy, {
      cause: error,
    })
  }
  const prompts = text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
  if (prompts.length === 0)
    throw new ExperimentError('bad-prompts-file', `There is no prompt in ${file}.`, remedy)
  return prompts
}
