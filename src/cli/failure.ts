/** How a command ends when it cannot do what it was asked. */

/** What a user is told: what happened and why, what to do, and the exit code. */
export interface Failure {
  readonly code: string
  readonly message: string
  readonly remedy?: string
  readonly exitCode: number
}

/** The command line is wrong: exit code 2, like a shell's own commands. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly code = 'usage'

  constructor(
    message: string,
    readonly remedy: string,
  ) {
    super(message)
  }
}

/** The reason that an interrupted command aborts with. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly code = 'interrupted'

  constructor(
    /** Empty: nobody need be told. */
    message: string,
    /** 128 + the number of the signal, as shells have it. */
    readonly exitCode: number,
  ) {
    super(message)
  }
}

/** What any thrown value means to the user. What nobody foresaw is a bug and says so, with its stack. */
export function explain(error: unknown): Failure {
  if (error instanceof Interrupted)
    return { code: error.code, message: error.message, exitCode: error.exitCode }
  if (error instanceof UsageError) {
    return { code: error.code, message: error.message, remedy: error.remedy, exitCode: 2 }
  }
  if (error instanceof Error && 'remedy' in error) {
    return { code: errorCode(error), message: error.message, remedy: String(error.remedy), exitCode: 1 }
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return {
    code: 'bug',
    message: `Something that sjd2 did not foresee: ${detail}`,
    remedy: 'Please report this, with the command and what `sjd2 doctor --json` says.',
    exitCode: 70,
  }
}

function errorCode(error: Error): string {
  if ('code' in error) return String(error.code)
  return error.name
}

/** The failure as text for people, or as one line of JSON. */
export function formatFailure({ code, message, remedy }: Failure, json: boolean): string {
  if (json) return JSON.stringify({ error: { code, message, remedy } })
  return remedy === undefined ? message : `${message}\n  What to do: ${remedy}`
}
