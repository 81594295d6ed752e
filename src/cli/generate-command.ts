/** The arguments and options of `sjd2 generate`. */
import type { Command } from 'commander'
import type { GenerateOptions } from './generate.js'
import { interruptible } from './interrupt.js'
import { addSamplingOptions, addSkipBadPrompts, PROMPTS } from './options.js'
import { addPolicyOptions } from './policy-options.js'
import { count, natural, place, real, seed } from './values.js'
import { addWorkerOptions } from './worker-options.js'

export function addGenerate(program: Command): void {
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
    .option('-g, --guidance <g>', 'classifier-free guidance; 1: off (default: the model’s)', real)
    .option('--json', 'nothing but one JSON object per picture and line on standard output')
  addSkipBadPrompts(command)
  addPolicyOptions(command)
  addSamplingOptions(command)
  addWorkerOptions(command).action((prompts: string[], options: GenerateOptions) =>
    interruptible(async (signal) => (await import('./generate.js')).generate(prompts, options, signal)),
  )
}
