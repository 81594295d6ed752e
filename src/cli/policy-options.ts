/** A flag for each parameter that some policy by name has; a file's own parameters are said as `./mine.ts:key=value`. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import {
  builtInParameters,
  type Parameter,
  type PolicyOverrides,
  parseValue,
  type Value,
} from '../policies/index.js'
import { window } from './values.js'

/** What is changed of a policy; each policy says which of them it knows. */
export type PolicyOptions = Omit<PolicyOverrides, 'window'> & { readonly window?: number | 'fastest' }

export function addPolicyOptions(command: Command): Command {
  command.optionsGroup('Changes to the policy:')
  for (const [name, parameter] of Object.entries(builtInParameters)) {
    command.addOption(name === 'window' ? windowOption(parameter) : optionOf(name, parameter))
  }
  return command
}

/** It may be measured, too. */
const windowOption = ({ description }: Parameter): Option =>
  new Option('--window <n>', `${description}; or fastest: what is so here (sjd2: fastest)`).argParser(window)

function optionOf(name: string, parameter: Parameter): Option {
  const { kind, description, values } = parameter
  const flag = `--${flagName(name)}`
  switch (kind) {
    case 'boolean':
      return new Option(flag, description)
    case 'string': // what there is not, the policy refuses: a file may have others
      return new Option(`${flag} <name>`, `${description}: ${values}`)
    case 'number':
      return new Option(`${flag} <n>`, description).argParser((text) => read(name, parameter, text))
  }
}

function read(name: string, parameter: Parameter, text: string): Value {
  try {
    return parameter.check(name, parseValue(parameter, text))
  } catch {
    throw new InvalidArgumentError(`It must be ${parameter.values}.`)
  }
}

/** `keepNoisyKeys`: `keep-noisy-keys` */
const flagName = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
