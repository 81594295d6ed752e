/** Ctrl-C, a termination and a closed standard output end a command in good order. */
import { Interrupted } from './failure.js'

const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const
const SIGPIPE_EXIT_CODE = 141

/**
 * Runs a command with a signal that aborts on the first interruption, so that it can close its worker; a second one
 * ends the process at once.
 * @throws Interrupted when the command was interrupted, whatever it threw on its way out.
 */
export async function interruptible<T>(command: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const { signal } = controller
  const onSignal = (name: NodeJS.Signals) => {
    const exitCode = EXIT_CODES[name as keyof typeof EXIT_CODES]
    if (signal.aborted) process.exit(exitCode)
    controller.abort(
      new Interrupted('Interrupted. What was finished is whole; nothing else was left.', exitCode),
    )
  }
  const onOutputError = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    controller.abort(new Interrupted('Standard output was closed by its reader.', SIGPIPE_EXIT_CODE))
  }
  for (const name of Object.keys(EXIT_CODES)) process.on(name, onSignal)
  process.stdout.on('error', onOutputError)
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
