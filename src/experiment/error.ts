import { z } from 'zod'
import { problemsLine } from './problems.js'

export type ExperimentErrorCode =
  | 'bad-prompt'
  | 'bad-prompts-file'
  | 'bad-output'
  | 'bad-option'
  | 'bad-manifest'
  | 'bad-study'
  | 'bad-picture'
  | 'bad-metric'
  | 'wrong-checkpoint'
  | 'failed-images'

/** What a user asked for cannot be done: what happened and why (`message`), and what to do (`remedy`). */
export class ExperimentError extends Error {
  override readonly name = 'ExperimentError'

  constructor(
    readonly code: ExperimentErrorCode,
    message: string,
    readonly remedy: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/**
 * Why something could not be read, in one line: what zod found wrong with it (parsed with `reportInput`), or the system's or
 * the parser's words.
 */
export const reasonOf = (error: unknown): string =>
  error instanceof z.ZodError ? problemsLine(error) : (error as Error).message
