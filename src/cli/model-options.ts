/** The options that name a model and say how it is loaded. */
import { type Command, Option } from 'commander'
import {
  DEVICES,
  DTYPES,
  flagName,
  type LoadingName,
  type LoadingOptions,
  loadingNames,
  loadingOptions,
} from '../common/model-options.js'
import { count, size } from './values.js'

/** Which model, and where it runs. */
export interface ModelChoice extends Pick<LoadingOptions, 'size'> {
  readonly model?: string
  readonly adapter?: string
  readonly device: (typeof DEVICES)[number]
  readonly python?: string
}

/** And how precisely, and how it is loaded. */
export interface ModelOptions extends ModelChoice, LoadingOptions {
  readonly dtype: (typeof DTYPES)[number]
}

export interface Particulars {
  /** Whether the command takes the checkpoint as its argument, instead of by --model. */
  readonly argument?: true
  /** The checkpoint where none is named; default: the bundled scenes. */
  readonly usual?: string
}

/** Which model, and where it runs. */
export function addModel(
  command: Command,
  { argument, usual = 'the bundled scenes' }: Particulars = {},
): Command {
  if (argument) command.argument('<folder|id>', 'the checkpoint: a folder, or a hub’s id like org/name')
  else command.option('--model <folder|id>', `checkpoint, or a hub’s id, downloaded once (default: ${usual})`)
  return command
    .option('--adapter <file.py>', 'how to run a checkpoint of your own family: see examples/my_adapter.py')
    .addOption(loadingOption('size'))
    .addOption(new Option('--device <name>', 'where the model runs').choices(DEVICES).default('auto'))
    .option('--python <path>', 'a Python with torch and the worker (default: SJD2_PYTHON, then .venv)')
}

/** And how precisely, and how it is loaded. */
export function addModelOptions(command: Command, how: Particulars = {}): Command {
  addModel(command.optionsGroup('Model and worker:'), how)
  command.addOption(new Option('--dtype <name>', 'precision of the weights').choices(DTYPES).default('auto'))
  for (const name of loadingNames) if (name !== 'size') command.addOption(loadingOption(name))
  return command
}

function loadingOption(name: LoadingName): Option {
  const { type, placeholder, help } = loadingOptions[name]
  const option = new Option(`--${flagName(name)} ${placeholder}`, help)
  if (type === 'count') return option.argParser(count)
  return type === 'size' ? option.argParser(size) : option.choices(type)
}
