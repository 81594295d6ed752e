/**
 * The whole command line: commands, arguments and options. What a command does is loaded when it runs, so that help
 * is there at once.
 */
import { Command, Option } from 'commander'
import { version } from '../experiment/project.js'
import { addConnection, type Connection } from './connection.js'
import { addExamples } from './examples.js'
import { interruptible } from './interrupt.js'
import { addModel, type ModelChoice, type Particulars } from './model-options.js'
import { addPolicyOptions, type PolicyOptions } from './policy-options.js'
import { helpWidth } from './terminal.js'
import { addFinetune, addShards } from './training-commands.js'
import { count, natural, notNegative, place, real, seed, share } from './values.js'
import { addWorker } from './worker-commands.js'

/** Which model, where it runs and how precisely. */
export interface ModelOptions extends ModelChoice {
  readonly dtype: 'auto' | 'f32' | 'bf16' | 'f16'
  readonly quantize?: 'int8' | 'nf4'
  readonly gpus?: number
  readonly promptCells?: number
}

/** Which prompts. */
export interface PromptOptions {
  readonly prompts?: string
  readonly skipBadPrompts?: true
}

/** And how much it decodes together. */
export interface WorkerOptions extends ModelOptions, Connection {
  readonly imagesAtOnce: number
  readonly trace?: string
}

/** How distributions are filtered; what is not given comes from the checkpoint. */
export interface SamplingOptions {
  readonly temperature?: number
  readonly topK?: number
  readonly topP?: number
}

export interface GenerateOptions extends WorkerOptions, SamplingOptions, PolicyOptions, PromptOptions {
  readonly policy?: string
  readonly seed: number
  readonly index: number
  readonly count?: number
  readonly out: string
  readonly guidance?: number
  readonly json?: boolean
}

/** How a table is printed. */
export interface TableOptions {
  readonly json?: boolean
  readonly markdown?: boolean
}

export interface CompareOptions extends WorkerOptions, SamplingOptions, TableOptions, PromptOptions {
  readonly scenes: number
  readonly guidance?: readonly number[]
  readonly seed: number
  readonly out?: string
  readonly pictures?: boolean
  readonly trajectories?: number
  readonly report?: boolean
  readonly csv?: boolean
}

export interface ReportOptions extends ModelOptions, Connection, JsonOption {
  readonly out?: string
}

export interface ExperimentOptions extends Pick<WorkerOptions, 'python'>, Connection, TableOptions {
  readonly out?: string
  readonly report?: boolean
}

export interface ReplayOptions
  extends Pick<WorkerOptions, 'model' | 'adapter' | 'python'>,
    Connection,
    JsonOption {
  readonly device?: WorkerOptions['device']
  readonly dtype?: WorkerOptions['dtype']
  readonly anyCheckpoint?: true
}

export interface PlanOptions extends ModelOptions, JsonOption {
  readonly imagesAtOnce: number
  readonly window: number
  readonly memory?: number
}

/** The model is the command's argument. */
export type CheckModelOptions = Omit<PlanOptions, 'model'>

export interface JsonOption {
  readonly json?: boolean
}

const PROMPTS =
  'a file with one prompt a line (# begins a comment), JSON lines with "prompt", or a table with a column Prompt; -: ' +
  'standard input'
const SKIP_BAD_PROMPTS =
  'leave out prompts that the model cannot be given, too long ones for example, and say which'

export function createProgram(): Command {
  const program = new Command('sjd2')
    .description(
      'Text-to-image decoding of autoregressive models in fewer passes, by Speculative Jacobi-Denoising Decoding.',
    )
    .version(version)
    // the commands that are added below take these over
    .configureHelp({ minWidthToWrap: 20 }) // beside the longest options, 60 columns leave no more
    .configureOutput({ getOutHelpWidth: () => helpWidth(process.stdout), writeErr: () => undefined })
    .exitOverride()
    .addHelpText(
      'after',
      '\nWithout a command: generate.\nExit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.',
    )
  addGenerate(program)
  addCompare(program)
  addExperiment(program)
  addReplay(program)
  addInspect(program)
  addReport(program)
  addPolicies(program)
  addFinetune(program)
  addShards(program)
  addPlan(program)
  addCheckModel(program)
  addWorker(program, addModelOptions)
  addDoctor(program)
  addExamples(program)
  return program
}

function addGenerate(program: Command): void {
  const command = program
    .command('generate')
    .argument('[prompts...]', 'what the pictures show; default: a scene, four times')
    .description('Make pictures of prompts.')
    .option(
      '-p, --policy <name|file.ts>',
      'how to decode: see `sjd2 policies`, or a file of your own (default: sjd2, or mc-sjd where the model is not ' +
        'fine-tuned to read noise)',
    )
    .option('-s, --seed <n>', 'the same seed gives the same pictures', seed, 0)
    .option('-n, --count <n>', 'pictures of each prompt (default: 1)', count)
    .option('--index <n>', 'number of the first picture of each prompt under the seed', natural, 0)
    .option('-o, --out <folder>', 'where the pictures go, beside those that are there', place, 'pictures')
    .option('--prompts <file>', PROMPTS)
    .option('--skip-bad-prompts', SKIP_BAD_PROMPTS)
    .option('-g, --guidance <g>', 'classifier-free guidance; 1: off (default: the model’s)', real)
    .option('--json', 'nothing but one JSON object per picture and line on standard output')
  addPolicyOptions(command)
  addSamplingOptions(command)
  addConnection(addWorkerOptions(command)).action((prompts: string[], options: GenerateOptions) =>
    interruptible(async (signal) => (await import('./generate.js')).generate(prompts, options, signal)),
  )
}

function addCompare(program: Command): void {
  const command = program
    .command('compare')
    .argument(
      '[policies...]',
      'as name:key=value,… (see `sjd2 policies`), or a file of your own: mc-sjd:window=96,init=above ./mine.ts',
      ['autoregressive', 'sjd', 'mc-sjd', 'sjd2'],
    )
    .description(
      'Measure policies on the same prompts in one session: passes, compression, seconds, judged quality.',
    )
    .option('-n, --scenes <n>', 'how many prompts to draw in the scenes’ grammar', count, 32)
    .option('--prompts <file>', `instead: ${PROMPTS}`)
    .option('--skip-bad-prompts', SKIP_BAD_PROMPTS)
    .option('-g, --guidance <g...>', 'one or more guidance scales (default: the model’s)', collect(real))
    .option('-s, --seed <n>', 'of the prompts drawn and of the pictures', seed, 0)
    .option(
      '-o, --out <folder>',
      'where results are appended as they come; a stopped comparison goes on from there',
      place,
    )
    .option('--pictures', 'keep the pictures too')
    .option('--trajectories <n>', 'keep all passes of the first n images of each policy', count)
    .option(
      '--report',
      'write report.html beside the results: the table, plots, and a viewer of trajectories',
    )
    .addOption(new Option('--json', 'the table as JSON').conflicts(['markdown', 'csv']))
    .addOption(new Option('--markdown', 'the table in Markdown').conflicts('csv'))
    .option('--csv', 'the table as comma-separated values')
  addSamplingOptions(command)
  addConnection(addWorkerOptions(command)).action((policies: string[], options: CompareOptions) =>
    interruptible(async (signal) => (await import('./compare.js')).compare(policies, options, signal)),
  )
}

function addReport(program: Command): void {
  const command = program
    .command('report')
    .argument('<folder>', 'where `sjd2 compare` or `sjd2 experiment run` kept its results')
    .description(
      'Write one self-contained report.html of results: the table, plots, a viewer of trajectories.',
    )
    .option('-o, --out <file>', 'where the report goes (default: report.html in the folder)', place)
    .option('--json', 'say where it went as one JSON object')
  addConnection(addModelOptions(command, { usual: 'the run’s' })).action(
    (folder: string, options: ReportOptions) =>
      interruptible(async (signal) => (await import('./report.js')).report(folder, options, signal)),
  )
}

function addExperiment(program: Command): void {
  const command = program
    .command('experiment')
    .description('Measure what a study file says: policies, sweeps, prompts, seeds, metrics.')
  addConnection(command.command('run'))
    .argument('<study.yaml>', 'what to measure; examples/study.yaml shows all that one can say')
    .description('Run a study, or go on with it where it was stopped.')
    .option('-o, --out <folder>', 'where results are appended as they come (default: runs/<study>)', place)
    .option('--python <path>', 'a Python with torch and the worker (default: SJD2_PYTHON, then .venv)')
    .option('--report', 'write report.html beside the results')
    .addOption(new Option('--json', 'the tables as JSON').conflicts('markdown'))
    .option('--markdown', 'the tables in Markdown')
    .action((study: string, options: ExperimentOptions) =>
      interruptible(async (signal) =>
        (await import('./experiment.js')).runExperiment(study, options, signal),
      ),
    )
}

function addReplay(program: Command): void {
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
    .addOption(new Option('--device <name>', 'where the model runs').choices(['auto', 'cpu', 'cuda']))
    .addOption(
      new Option('--dtype <name>', 'precision of the weights').choices(['auto', 'f32', 'bf16', 'f16']),
    )
    .option('--python <path>', 'a Python with torch and the worker')
    .action((folder: string, options: ReplayOptions) =>
      interruptible(async (signal) => (await import('./replay.js')).replay(folder, options, signal)),
    )
}

function addInspect(program: Command): void {
  program
    .command('inspect')
    .argument('<picture.png>', 'made by sjd2')
    .description('Say how a picture was made, and the command that makes it again.')
    .option('--json', 'as one JSON object')
    .action(async (file: string, options: JsonOption) =>
      (await import('./inspect.js')).inspect(file, options),
    )
}

function addPolicies(program: Command): void {
  program
    .command('policies')
    .argument('[policy]', 'a name, or a file of your own: its parameters, their defaults, its pieces')
    .description('List the decoding policies: exact or relaxed, what each does, and its paper.')
    .option('--json', 'one JSON object per policy and line')
    .action(async (policy: string | undefined, options: JsonOption) =>
      (await import('./policies.js')).policies(policy, options),
    )
}

function addPlan(program: Command): void {
  const command = program
    .command('plan')
    .description('Say what memory a checkpoint will take, before anything is loaded, and what would fit.')
  addPlanOptions(command, 'as one JSON object, in bytes')
  addImagesAtOnce(command).action((options: PlanOptions) =>
    interruptible(async (signal) => (await import('./plan.js')).plan(options, signal)),
  )
}

function addCheckModel(program: Command): void {
  const command = program
    .command('check-model')
    .description(
      'Say whether a checkpoint will load here: its family, the sizes it draws, all that is missing and where to ' +
        'get it, the memory it takes. Only headers are read, within seconds; of a hub’s model no weights are ' +
        'downloaded. Exit code 0 only where it will load.',
    )
  addPlanOptions(command, 'as one JSON object, in bytes: family, picture, plan, libraries, faults, loads')
  addImagesAtOnce(command, { argument: true }).action((model: string, options: CheckModelOptions) =>
    interruptible(async (signal) => (await import('./check-model.js')).checkModel(model, options, signal)),
  )
}

const addPlanOptions = (command: Command, json: string): Command =>
  command
    .option('--window <n>', 'positions decoded in parallel', count, 96)
    .option('--memory <GiB>', 'of the machine that it will run on (default: what is free here)', notNegative)
    .option('--json', json)

function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('Say what is missing here and the command that mends it.')
    .option('--json', 'as one JSON object')
    .option('--model <folder>', 'the checkpoint to look at')
    .option('--python <path>', 'the Python to look at')
    .action((options: JsonOption & Pick<WorkerOptions, 'model' | 'python'>) =>
      interruptible(async (signal) => (await import('./doctor.js')).doctor(options, signal)),
    )
}

function addSamplingOptions(command: Command): Command {
  return command
    .optionsGroup('Sampling (default: the model’s):')
    .option('--temperature <t>', 'sharpens below 1, flattens above; 0: greedy', notNegative)
    .option('--top-k <k>', 'only the k likeliest codes; 0: all', natural)
    .option('--top-p <p>', 'only the likeliest codes that together have probability p; 1: all', share)
}

function addWorkerOptions(command: Command): Command {
  return addImagesAtOnce(command).option(
    '--trace <file.json>',
    'where the time went, for chrome://tracing and ui.perfetto.dev',
  )
}

const addImagesAtOnce = (command: Command, how: Particulars = {}): Command =>
  addModelOptions(command, how).option('--images-at-once <n>', 'pictures decoded together', count, 8)

function addModelOptions(command: Command, how: Particulars = {}): Command {
  const dtype = new Option('--dtype <name>', 'precision of the weights')
    .choices(['auto', 'f32', 'bf16', 'f16'])
    .default('auto')
  return addModel(command.optionsGroup('Model and worker:'), { ...how, dtype })
    .addOption(
      new Option(
        '--quantize <kind>',
        'weights of 8 or 4 bits (bitsandbytes): less memory, other pictures',
      ).choices(['int8', 'nf4']),
    )
    .option('--gpus <n>', 'spread the layers over so many GPUs (accelerate)', count)
    .option(
      '--prompt-cells <n>',
      'tokens that a prompt may have: slots have room for them (default: 256, and more where prompts need it, as far as ' +
        'the model’s positions go)',
      count,
    )
}

const collect =
  <T>(read: (text: string) => T) =>
  (text: string, before: readonly T[] = []): T[] => [...before, read(text)]
