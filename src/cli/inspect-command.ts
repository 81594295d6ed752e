/** The argument and options of `sjd2 inspect`. */
import type { Command } from 'commander'
import type { JsonOption } from './options.js'

export function addInspect(program: Command): void {
  program
    .command('inspect')
    .argument('<picture.png>', 'made by sjd2')
    .description('Say how a picture was made, and the command that makes it again.')
    .option('--json', 'as one JSON object')
    .action(async (file: string, options: JsonOption) =>
      (await import('./inspect.js')).inspect(file, options),
    )
}
