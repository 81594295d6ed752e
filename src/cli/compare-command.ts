/** The arguments and options of `sjd2 compare`. */
import { type Command, Option } from 'commander'
import type { CompareOptions } from './compare.js'
import { interruptible } from './interrupt.js'
import { addSamplingOptions, addSkipBadPrompts, PROMPTS } from './options.js'
import { count, place, real, seed } from './values.js'
import { addWorkerOptions } from './worker-options.js'

export function addCompare(program: Command): void {
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
  addSkipBadPrompts(command)
  addSamplingOptions(command)
  addWorkerOptions(command).action((policies: string[], options: CompareOptions) =>
    interruptible(async (signal) => (await import('./compare.js')).compare(policies, options, signal)),
  )
}

const collect =
  <T>(read: (text: string) => T) =>
  (text: string, before: readonly T[] = []): T[] => [...before, read(text)]
