/** The options of `sjd2 doctor`. */
import type { Command } from 'commander'
import type { DoctorOptions } from './doctor.js'
import { interruptible } from './interrupt.js'

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('Say what is missing here and the command that mends it.')
    .option('--json', 'as one JSON object')
    .option('--model <folder>', 'the checkpoint to look at')
    .option('--python <path>', 'the Python to look at')
    .action((options: DoctorOptions) =>
      interruptible(async (signal) => (await import('./doctor.js')).doctor(options, signal)),
    )
}
