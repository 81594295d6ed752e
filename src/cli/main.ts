import { explain, formatFailure } from './failure.js'
import { withOutputs } from './interrupt.js'
import { runProgram } from './run.js'

/**
 * The sjd2 command: runs a command line, prints what went wrong to standard error and sets the exit code.
 * @param args without `node` and the script's name.
 */
export async function main(args: readonly string[]): Promise<void> {
  try {
    await withOutputs(() => runProgram(args))
  } catch (error) {
    const failure = explain(error)
    if (failure.message !== '') console.error(formatFailure(failure, args.includes('--json')))
    process.exitCode = failure.exitCode
  }
}
