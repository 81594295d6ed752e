/** The arguments and options of `sjd2 replay`. */
import { type Command, Option } from 'commander'
import { DEVICES, DTYPES } from '../common/model-options.js'
import { addConnection } from './connection.js'
import { interruptible } from './interrupt.js'
import type { ReplayOptions } from './replay.js'

export function addReplay(program: Command): void {
  addConnection(program.command('replay'))
    .argument('<folder>', 'of generate, compare or experiment, or its manifest.json')
    .description(
      'Run all of it again, every run of generate that the folder holds, and say for each image whether its tokens are identical; exit code 0 only where all are.',
    )
    .option('--any-checkpoint', 'go on though the checkpoint is not the one of the run')
    .option('--json', 'as one JSON object')
    .optionsGroup('Model and worker (default: as the run had them):')
    .option('--model <folder>', 'where the checkpoint lies now')
    .option('--adapter <file.py>', 'where the adapter lies now')
    .addOption(new Option('--device <name>', 'where the model runs').choices(DEVICES))
    .addOption(new Option('--dtype <name>', 'precision of the weights').choices(DTYPES))
    .option('--python <path>', 'a Python with torch and the worker')
    .action((folder: string, options: ReplayOptions) =>
      interruptible(async (signal) => (await import('./replay.js')).replay(folder, options, signal)),
    )
}
