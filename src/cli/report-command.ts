/** The arguments and options of `sjd2 report`. */
import type { Command } from 'commander'
import { addConnection } from './connection.js'
import { interruptible } from './interrupt.js'
import { addModelOptions } from './model-options.js'
import type { ReportOptions } from './report.js'
import { place } from './values.js'

export function addReport(program: Command): void {
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
