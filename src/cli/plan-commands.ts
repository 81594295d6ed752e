/** The arguments and options of `sjd2 plan` and `sjd2 check-model`. */
import type { Command } from 'commander'
import type { CheckModelOptions } from './check-model.js'
import { interruptible } from './interrupt.js'
import type { PlanOptions } from './plan.js'
import { count, notNegative } from './values.js'
import { addImagesAtOnce } from './worker-options.js'

export function addPlan(program: Command): void {
  const command = program
    .command('plan')
    .description('Say what memory a checkpoint will take, before anything is loaded, and what would fit.')
  addPlanOptions(command, 'as one JSON object, in bytes')
  addImagesAtOnce(command).action((options: PlanOptions) =>
    interruptible(async (signal) => (await import('./plan.js')).plan(options, signal)),
  )
}

export function addCheckModel(program: Command): void {
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
