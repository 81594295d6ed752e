/** The arguments and options of `sjd2 experiment`. */
import { type Command, Option } from 'commander'
import { addConnection } from './connection.js'
import type { ExperimentOptions } from './experiment.js'
import { interruptible } from './interrupt.js'
import { place } from './values.js'

export function addExperiment(program: Command): void {
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
