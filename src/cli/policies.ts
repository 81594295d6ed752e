import { overrideNames } from '../experiment/index.js'
import { describePolicies } from '../policies/index.js'
import { mark } from '../report/index.js'
import type { JsonOption } from './options.js'
import { formatTable } from './terminal.js'

/** `sjd2 policies` */
export function policies({ json }: JsonOption): void {
  const all = describePolicies()
  if (json) for (const policy of all) console.log(JSON.stringify(policy))
  else {
    console.log(
      formatTable([
        ['policy', 'output', 'what it does', 'defaults', 'paper'],
        ...all.map((policy) => [policy.name, mark(policy), policy.summary, policy.defaults, policy.paper]),
      ]),
    )
    console.log(
      '\nexact: the distribution of the pictures is that of sequential decoding. relaxed: it is not.\n' +
        'Changed as name:key=value,… (`sjd2 generate --help` says what each key changes, which a policy may lack):\n' +
        `  ${overrideNames.join(', ')}`,
    )
  }
}
