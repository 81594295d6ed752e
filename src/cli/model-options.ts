/** The options that name a model, which every command that loads one takes. */
import { type Command, Option } from 'commander'
import { size } from './values.js'

export interface ModelChoice {
  readonly model?: string
  readonly adapter?: string
  readonly size?: string
  readonly device: 'auto' | 'cpu' | 'cuda'
  readonly python?: string
}

export interface Particulars {
  /** Whether the command takes the checkpoint as its argument, instead of by --model. */
  readonly argument?: true
  /** The checkpoint where none is named; default: the bundled scenes. */
  readonly usual?: string
  /** The command's own option for precision, where it stands among these. */
  readonly dtype?: Option
}

export function addModel(
  command: Command,
  { argument, usual = 'the bundled scenes', dtype }: Particulars = {},
): Command {
  if (argument) command.argument('<folder|id>', 'the checkpoint: a folder, or a hub’s id like org/name')
  else command.option('--model <folder|id>', `checkpoint, or a hub’s id, downloaded once (default: ${usual})`)
  command
    .option('--adapter <file.py>', 'how to run a checkpoint of your own family: see examples/my_adapter.py')
    .option(
      '--size <n|HxW>',
      'pictures’ height and width in pixels, if the model draws several (default: its)',
      size,
    )
    .addOption(
      new Option('--device <name>', 'where the model runs').choices(['auto', 'cpu', 'cuda']).default('auto'),
    )
  if (dtype) command.addOption(dtype)
  return command.option(
    '--python <path>',
    'a Python with torch and the worker (default: SJD2_PYTHON, then .venv)',
  )
}
