/** The arguments and options of `sjd2 worker`. */
import type { Command } from 'commander'
import { interruptible } from './interrupt.js'
import { addModelOptions } from './model-options.js'
import type { JsonOption } from './options.js'
import { count, natural } from './values.js'
import type { StartOptions, StopOptions } from './worker.js'

export function addWorker(program: Command): void {
  const worker = program
    .command('worker')
    .description('Keep a worker with its model loaded, for several runs: --connect.')
  const start = worker
    .command('start')
    .description(
      'Start a worker in the background; the command returns when it is ready. It listens where only this user can ' +
        'reach it, or with --listen for those who hold the key.',
    )
    .option('--name <name>', 'what it is called (default: the checkpoint’s folder)')
    .option('--images-at-once <n>', 'pictures decoded together, over all runs', count, 8)
    .option(
      '--idle <minutes>',
      'it ends by itself when no run has used it for so long; 0: never',
      natural,
      60,
    )
    .option('--listen <tcp://HOST:PORT>', 'for other machines too; needs --key')
    .option('--key <file>', 'the secret key that both ends hold: see `sjd2 worker key`')
    .option('--json', 'as one JSON object')
  addModelOptions(start).action((options: StartOptions) =>
    interruptible(async (signal) => (await import('./worker.js')).startWorkerCommand(options, signal)),
  )
  worker
    .command('status')
    .description('Say which workers run, and what they are at.')
    .option('--json', 'as JSON')
    .action(async (options: JsonOption) => (await import('./worker.js')).workerStatus(options))
  worker
    .command('stop')
    .argument('[name|address]', 'which; may be left out where there is one')
    .description('End a worker.')
    .option('--force', 'even if a run uses it')
    .option('--key <file>', 'the secret key of a worker at tcp://HOST:PORT')
    .action(async (name: string | undefined, options: StopOptions) =>
      (await import('./worker.js')).stopWorkerCommand(name, options),
    )
  worker
    .command('key')
    .argument('<file>', 'a new file')
    .description('Make a secret key for a worker that other machines may use.')
    .action(async (file: string) => (await import('./worker.js')).makeKeyCommand(file))
}
