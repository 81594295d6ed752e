export type ExperimentErrorCode = 'bad-prompt' | 'bad-prompts-file' | 'bad-output' | 'bad-option'

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
