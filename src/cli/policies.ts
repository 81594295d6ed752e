import { isFile } from '../experiment/index.js'
import {
  builtInParameters,
  describePieces,
  describePolicies,
  findPolicy,
  type Parameters,
} from '../policies/index.js'
import { mark } from '../report/index.js'
import { openPolicyFile } from '../user-modules/index.js'
import type { JsonOption } from './options.js'
import { formatTable } from './terminal.js'

/** `sjd2 policies`, and of one `sjd2 policies sjd2` or `sjd2 policies ./mine.ts`. */
export async function policies(name: string | undefined, { json = false }: JsonOption): Promise<void> {
  if (name === undefined) list(json)
  else show(isFile(name) ? await describeFile(name) : describeBuiltIn(name), json)
}

function list(json: boolean): void {
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
        'Most policies take these changes as name:key=value,… (`sjd2 policies NAME` says what one takes):\n' +
        `  ${commonParameters().join(', ')}`,
    )
  }
}

/** What at least half of the policies take. */
function commonParameters(): string[] {
  const all = describePolicies().map(({ name }) => findPolicy(name).parameters)
  return Object.keys(builtInParameters).filter(
    (key) => all.filter((parameters) => Object.hasOwn(parameters, key)).length >= all.length / 2,
  )
}

/** What is printed of one policy. */
interface Description {
  readonly name: string
  readonly aliases: readonly string[]
  /** null: only a model says. */
  readonly exact: boolean | null
  readonly summary: string | null
  readonly paper: string | null
  readonly parameters: readonly ParameterDescription[]
  /** By what they decide; null: only the file says. */
  readonly pieces: Readonly<Record<string, string>> | null
}

interface ParameterDescription {
  readonly name: string
  readonly default: number | string | boolean
  readonly values: string
  readonly description: string
}

function describeBuiltIn(asked: string): Description {
  const policy = findPolicy(asked)
  const { name, aliases = [], summary, paper, parameters } = policy
  return {
    name,
    aliases,
    exact: policy.create({}).exact,
    summary,
    paper,
    parameters: describeParameters(parameters),
    pieces: describePieces(policy, {}),
  }
}

async function describeFile(file: string): Promise<Description> {
  const { definition } = await openPolicyFile(file)
  return {
    name: file,
    aliases: [],
    exact: null,
    summary: definition?.summary ?? null,
    paper: definition?.paper ?? null,
    parameters: describeParameters(definition?.parameters ?? {}),
    pieces: null,
  }
}

const describeParameters = (parameters: Parameters): ParameterDescription[] =>
  Object.entries(parameters).map(([name, { default: preset, values, description }]) => ({
    name,
    default: preset,
    values,
    description,
  }))

function show(policy: Description, json: boolean): void {
  console.log(json ? JSON.stringify(policy) : inWords(policy))
}

function inWords({ name, aliases, exact, summary, paper, parameters, pieces }: Description): string {
  const title = [
    name,
    ...aliases.map((alias) => `(also ${alias})`),
    ...(exact === null ? [] : [mark({ exact })]),
  ]
  const head = [title.join(' '), summary, paper].filter((line) => line !== null)
  const parts = [head.join('\n')]
  if (pieces) parts.push(`Pieces:\n${indented(formatTable(Object.entries(pieces)))}`)
  parts.push(
    parameters.length === 0
      ? 'It declares no parameters.'
      : `Parameters (${name}:key=value,…):\n${indented(
          formatTable([
            ['key', 'default', 'values', 'what it is'],
            ...parameters.map((one) => [one.name, String(one.default), one.values, one.description]),
          ]),
        )}`,
  )
  return parts.join('\n\n')
}

const indented = (text: string): string => text.replace(/^/gm, '  ')
