import { CommanderError } from 'commander'
import { UsageError } from './failure.js'
import { createProgram } from './program.js'

/**
 * Reads a command line and runs it.
 * @param args without `node` and the script's name.
 * @throws UsageError for a wrong command line; else whatever the command throws.
 */
export async function runProgram(args: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync(withCommand(args), { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    // of several commands none is named: its help, which commander would have written, goes unseen
    if (error.code === 'commander.help')
      throw new UsageError(`sjd2 ${args[0]} is several commands: name one.`, `See sjd2 ${args[0]} --help.`)
    if (error.exitCode !== 0)
      throw new UsageError(
        error.message.replace(/^error: /, ''),
        'See sjd2 --help, or sjd2 <command> --help.',
      )
  }
}

/** Where no command is named, pictures are made. */
function withCommand(args: readonly string[]): string[] {
  const [first] = args
  const own = ['-h', '--help', '-V', '--version']
  return first === undefined || (first.startsWith('-') && !own.includes(first))
    ? ['generate', ...args]
    : [...args]
}
