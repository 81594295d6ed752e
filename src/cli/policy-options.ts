/** Options that change a policy. */
import type { Command } from 'commander'
import { count, natural, notNegative, window } from './values.js'

/** What is changed of a policy; each policy says which of them it knows. */
export interface PolicyOptions {
  readonly window?: number | 'fastest'
  readonly init?: string
  readonly coupling?: string
  readonly threshold?: number
  readonly accept?: string
  readonly group?: number
  readonly nearest?: number
  readonly delta?: number
  readonly levels?: number
  readonly denoise?: string
  readonly margin?: number
  readonly branches?: number
  readonly siblings?: number
  readonly depth?: number
  readonly rows?: number
  readonly lag?: number
  readonly verify?: string
  readonly keepNoisyKeys?: true
}

export function addPolicyOptions(command: Command): Command {
  return command
    .optionsGroup('Changes to the policy:')
    .option(
      '--window <n>',
      'positions decoded in parallel, or fastest: what is so here (sjd2: fastest)',
      window,
    )
    .option(
      '--init <name>',
      'what enters the window: random, repeat, left, likeliest, above, vertical, gaussian',
    )
    .option('--coupling <name>', 'how drafts are drawn anew: independent, maximal, gumbel, reuse')
    .option(
      '--threshold <ratio>',
      'with --coupling reuse: the p(d)/q(d) from which a draft is kept',
      notNegative,
    )
    .option('--accept <by>', 'what drafts are accepted by: coupling (as that says), group, nearest (relaxed)')
    .option('--group <n>', 'with --accept group: codes next in probability that may be of the group', count)
    .option(
      '--distance <d>',
      'with --accept group: squared distance of embeddings below which codes may be of it',
      notNegative,
    )
    .option('--nearest <n>', 'with --accept nearest: nearest codes that may lend a draft probability', count)
    .option(
      '--delta <p>',
      'with --accept nearest: the most probability they may lend in all; above 1: p - 1 times the draft’s own',
      notNegative,
    )
    .option('--levels <n>', 'steps of denoising from pure noise to clean', count)
    .option('--denoise <by>', 'what the levels follow: passes, distance (to the front)')
    .option('--margin <n>', 'clean drafts at the front, with --denoise distance', natural)
    .option('--branches <n>', 'entries for runners-up beside the drafts, with --coupling gumbel', natural)
    .option(
      '--siblings <n>',
      'drafts for each position of a tree at the front, with --coupling maximal',
      count,
    )
    .option('--depth <n>', 'positions that this tree reaches, with --siblings', count)
    .option('--rows <n>', 'rows of the picture decoded at once, with pjd', count)
    .option('--lag <n>', 'codes that a row has when the next one starts, with pjd and zipar', count)
    .option('--verify <rule>', 'exact, or relaxed: accept noisy entries too')
    .option('--keep-noisy-keys', 'with --verify relaxed: do not feed accepted noisy entries again')
}
