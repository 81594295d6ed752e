/** Ctrl-C, a termination and a standard output that takes nothing more end a command in good order. */
import { setImmediate } from 'node:timers/promises'
import { Interrupted } from './failure.js'

const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const
const SIGPIPE_EXIT_CODE = 141

/** Aborts when standard output takes nothing more. */
const output = new AbortController()

/**
 * Runs the whole of a program whose output may end before it does.
 * @throws Interrupted where standard output took nothing more, whatever else was thrown.
 */
export async function withOutputs(program: () => Promise<void>): Promise<void> {
  process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) =>
    output.abort(
      code === 'EPIPE'
        ? new Interrupted('', SIGPIPE_EXIT_CODE) // its reader has what it wants, as `head` has
        : new Interrupted(
            `Standard output cannot be written: ${message}. Free some space there, or send it elsewhere.`,
            1,
          ),
    ),
  )
  process.stderr.on('error', () => undefined) // nobody can be told
  try {
    await program()
  } catch (error) {
    throw output.signal.aborted ? output.signal.reason : error
  }
  await setImmediate() // a failed write is told in the next turn
  output.signal.throwIfAborted()
}

/**
 * Runs a command with a signal that aborts on the first interruption, so that it can close its worker; a second one
 * ends the process at once.
 * @throws Interrupted when the command was interrupted, whatever it threw on its way out.
 */
export async function interruptible<T>(command: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const signal = AbortSignal.any([controller.signal, output.signal])
  const onSignal = (name: NodeJS.Signals) => {
    const exitCode = EXIT_CODES[name as keyof typeof EXIT_CODES]
    if (signal.aborted) process.exit(exitCode)
    controller.abort(
      new Interrupted('Interrupted. What was finished is whole; nothing else was left.', exitCode),
    )
  }
  for (const name of Object.keys(EXIT_CODES)) process.on(name, onSignal)
  try {
    const result = await command(signal)
    signal.throwIfAborted()
    return result
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  } finally {
    for (const name of Object.keys(EXIT_CODES)) process.off(name, onSignal)
  }
}
