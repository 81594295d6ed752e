/** The options of `sjd2 finetune` and `sjd2 shards`. */
import { type Command, Option } from 'commander'
import type { FinetuneOptions, ShardsOptions } from './finetune.js'
import { interruptible } from './interrupt.js'
import { addModel } from './model-options.js'
import { count, natural, notNegative, share } from './values.js'

export function addShards(program: Command): void {
  const command = program
    .command('shards')
    .description('Make training data: pictures and captions, read by the model’s own image tokenizer.')
    .requiredOption('--data <folder>', DATA)
    .requiredOption(
      '-o, --out <folder>',
      'where the shards go; of those that are there, what is not as --data has it now is made anew',
    )
    .option('--batch <n>', 'pictures read at once', count, 16)
    .option('--per-shard <n>', 'examples of a file', count, 4096)
    .option('--json', 'nothing but the result as JSON on standard output')
  addData(command)
  addModel(command.optionsGroup('Model:')).action((options: ShardsOptions) =>
    interruptible(async (signal) => (await import('./finetune.js')).shards(options, signal)),
  )
}

export function addFinetune(program: Command): void {
  const command = program
    .command('finetune')
    .description(
      'Teach a model to read noise (next-clean-token prediction), so that sjd2 decodes it in fewer passes.\n' +
        'Stopped or killed, the same command goes on where it was.',
    )
    .requiredOption('--data <folder>', `${DATA}, or shards (see sjd2 shards)`)
    .requiredOption(
      '-o, --out <folder>',
      'becomes the fine-tuned checkpoint; its training/ holds the state and the log',
    )
    .option('--steps <n>', 'in all; 0: the model as it is, ready for noise', natural, 1000)
    .option('--batch <n>', 'examples of a batch', count, 8)
    .option('--accumulate <n>', 'batches of a step, in each process', count, 1)
    .option('--processes <n>', 'train on so many GPUs, one process each', count, 1)
    .option('--shard', 'each of them keeps its share of the blocks’ weights, gradients and optimiser (FSDP)')
    .option('--held-out <n>', 'examples, the last ones, to validate with at every state', natural, 0)
    .option('--every <n>', 'steps between two states', count, 100)
    .option('-s, --seed <n>', 'of data order, windows and noise', natural, 0)
    .option('--json', 'nothing but the result as JSON on standard output')
    .optionsGroup('What is trained, and how:')
    .option('--lora <rank>', 'low-rank additions, added in the end, instead of the weights themselves', count)
    .addOption(
      new Option('--dtype <name>', 'mixed: weights f32, arithmetic bf16')
        .choices(['f32', 'mixed', 'bf16'])
        .default('mixed'),
    )
    .option('--checkpointing', 'compute blocks twice instead of remembering them')
    .option('--compile', 'torch.compile; pays where all prompts are of one length')
    .option('--learning-rate <rate>', 'at its highest (default: 2e-5; 2e-4 with --lora)', notNegative)
    .option('--decay <share>', 'of the steps, at the end, over which the rate falls to zero', share, 0.9)
    .addOption(
      new Option('--optimiser <name>', 'muon: for the matrices of the blocks')
        .choices(['adamw', 'muon'])
        .default('adamw'),
    )
    .option('--base <file>', 'a state whose weights are begun with instead of the model’s')
    .option('--state <file>', 'where the state is (default: in OUT)')
    .option(
      '--captions-changed',
      'go on from a state though captions were changed; pictures must be the same',
    )
    .optionsGroup('What it learns from:')
    .option('--window <n>', 'entries of a window as decoding will see it', count, 192)
    .option('--caption-dropout <share>', 'of captions left out, for guidance', notNegative, 0.1)
    .addOption(
      new Option('--schedule <name>', 'of noise (default: the model’s, or cosine)').choices([
        'cosine',
        'karras',
        'linear',
      ]),
    )
    .addHelpText('after', EXAMPLES)
  addData(command)
  addModel(command.optionsGroup('Model:')).action((options: FinetuneOptions) =>
    interruptible(async (signal) => (await import('./finetune.js')).finetune(options, signal)),
  )
}

/** How both take pictures and captions. */
function addData(command: Command): void {
  command
    .option('--background <colour>', 'what transparent pictures are laid on: a name, or #rrggbb', 'white')
    .option(
      '--skip-bad',
      'leave out, and count, examples that cannot be used, instead of naming them and ending',
    )
}

const DATA = 'pictures with captions: <name>.txt beside each, or captions.jsonl of {"file", "caption"}'

const EXAMPLES = `
Examples:
  sjd2 finetune --model Janus-Pro-1B --data pictures --out tuned \\
      --lora 32 --held-out 64
  sjd2 finetune --model Lumina-mGPT-7B --size 768 --data shards --out tuned \\
      --dtype bf16 --checkpointing --batch 2 --accumulate 8 --processes 4
  sjd2 generate --model tuned "a lighthouse"
  tensorboard --logdir tuned/training`
