/** The options of `sjd2 policies`. */
import type { Command } from 'commander'
import type { JsonOption } from './options.js'

export function addPolicies(program: Command): void {
  program
    .command('policies')
    .argument('[policy]', 'a name, or a file of your own: its parameters, their defaults, its pieces')
    .description('List the decoding policies: exact or relaxed, what each does, and its paper.')
    .option('--json', 'one JSON object per policy and line')
    .action(async (policy: string | undefined, options: JsonOption) =>
      (await import('./policies.js')).policies(policy, options),
    )
}
