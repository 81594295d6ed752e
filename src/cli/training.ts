/** Runs a command of the worker's training room: `python -m sjd2_worker.training.<name>`. */
import { execa } from 'execa'
import { pathOf, threadSettings, workerFolder } from '../bridge/index.js'
import { flagName } from '../common/model-options.js'
import { findPython } from './session.js'

/** What such a command is given, by the names of its options; `true` is a flag, what is undefined is left out. */
export type TrainingOptions = Readonly<Record<string, string | number | boolean | undefined>>

export interface Training {
  readonly python: string | undefined
  /** Processes that train one model together. */
  readonly processes: number
  /** Aborting it stops the command after a whole step, with its state saved. */
  readonly signal: AbortSignal
}

/** The command said what is wrong, or died without a word. */
export class TrainingError extends Error {
  override readonly name = 'TrainingError'

  constructor(
    readonly code: string,
    message: string,
    readonly remedy: string,
  ) {
    super(message)
  }
}

/**
 * Its progress goes to standard error as it comes.
 * @returns what its last line on standard output says.
 * @throws UsageError where there is no Python; TrainingError.
 */
export async function runTraining(
  name: string,
  options: TrainingOptions,
  { python: wanted, processes, signal }: Training,
): Promise<Record<string, unknown>> {
  const python = pathOf(findPython(wanted))
  const flags = Object.entries(options).flatMap(([option, value]) => {
    const flag = `--${flagName(option)}`
    if (value === undefined || value === false) return []
    return value === true ? [flag] : [flag, String(value)]
  })
  const launcher =
    processes > 1 ? ['-m', 'torch.distributed.run', '--standalone', `--nproc-per-node=${processes}`] : []
  const result = await execa(python, [...launcher, '-m', `sjd2_worker.training.${name}`, ...flags], {
    cwd: workerFolder,
    stdin: 'ignore',
    stderr: 'inherit',
    env: threadSettings(),
    reject: false,
    forceKillAfterDelay: false, // a large state takes its time to be written
    cancelSignal: signal,
  })
  const said = lastObject(result.stdout)
  if (said === undefined) {
    const how = result.signal === undefined ? `exit code ${result.exitCode}` : result.signal
    throw new TrainingError(
      'training-lost',
      `${python} ended with ${how} and said no result: ${result.originalMessage ?? 'see above'}.`,
      result.signal === 'SIGKILL'
        ? 'If nobody killed it, memory was too small: try a smaller --batch, or --lora. The same command goes on.'
        : 'Run the same command again, which goes on, or ask `sjd2 doctor`.',
    )
  }
  if ('error' in said) {
    const { code, message, remedy } = said.error as { code: string; message: string; remedy: string }
    if (signal.aborted) console.error(`${message} ${remedy}`)
    throw new TrainingError(code, message, remedy)
  }
  return said
}

/** The last line that is a JSON object. */
function lastObject(output: string | undefined): Record<string, unknown> | undefined {
  const line = output?.split('\n').findLast((text) => text.startsWith('{'))
  return line === undefined ? undefined : JSON.parse(line)
}
