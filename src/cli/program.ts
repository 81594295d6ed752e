/**
 * The whole command line. Each command's file declares its arguments and options; what a command does is loaded when it
 * runs, so that help is there at once.
 */
import { Command } from 'commander'
import { version } from '../common/project.js'
import { addCompare } from './compare-command.js'
import { addDoctor } from './doctor-command.js'
import { addExamples } from './examples.js'
import { addExperiment } from './experiment-command.js'
import { addGenerate } from './generate-command.js'
import { addInspect } from './inspect-command.js'
import { addCheckModel, addPlan } from './plan-commands.js'
import { addPolicies } from './policies-command.js'
import { addReplay } from './replay-command.js'
import { addReport } from './report-command.js'
import { addSetup } from './setup.js'
import { helpWidth } from './terminal.js'
import { addFinetune, addShards } from './training-commands.js'
import { addWorker } from './worker-commands.js'

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
  addWorker(program)
  addSetup(program)
  addDoctor(program)
  addExamples(program)
  return program
}
