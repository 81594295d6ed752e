/** What zod found wrong, in words for whoever wrote the file. */
import { z } from 'zod'
import { didYouMean } from '../common/did-you-mean.js'

/** Keys and numbers from the top to a part. */
export type Path = readonly (string | number)[]

/** Something that is wrong with a part of what was read. */
export interface Problem {
  readonly path: Path
  readonly message: string
}

type Issue = z.core.$ZodIssue

/** What is told in a line: the first so many problems, since a file of another shape has a great many. */
const SHOWN = 3

/** What is wrong with a value that was parsed with `reportInput`, in one line: `rows[0].id: it is missing; …`. */
export function problemsLine({ issues }: z.ZodError): string {
  const all = problemsOf(issues).map(({ path, message }) =>
    path.length === 0 ? message : `${z.core.toDotPath(path)}: ${message}`,
  )
  const more = all.length > SHOWN ? [`And ${all.length - SHOWN} more.`] : []
  return [...all.slice(0, SHOWN), ...more].join(' ').replace(/\.$/, '')
}

/** @param known the keys that a part may have, by the first key of its path, where they are to be told. */
export const problemsOf = (
  issues: readonly Issue[],
  known: Readonly<Record<string, readonly string[]>> = {},
): Problem[] => issues.flatMap((issue) => problems(issue, [], known))

function problems(issue: Issue, above: Path, known: Readonly<Record<string, readonly string[]>>): Problem[] {
  const path = [...above, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))]
  if (issue.code === 'invalid_union') {
    const branch = meant(issue.errors)
    if (branch) return branch.flatMap((inner) => problems(inner, path, known))
    const types = typesOf(issue.errors)
    // an object whose kind is none that there is
    if (types.length === 0) return [{ path, message: 'it is of no known kind.' }]
    return [{ path, message: mustBe(types.join(' or '), issue.input) }]
  }
  if (issue.code !== 'unrecognized_keys') return [{ path, message: messageOf(issue) }]
  const names = known[String(path[0] ?? '')]
  return issue.keys.map((key) => ({ path: [...path, key], message: noSuchKey(key, names) }))
}

/** @param names of the keys that there are, where they are to be told. */
export const noSuchKey = (key: string, names?: readonly string[]): string =>
  `there is no such key.${names ? ` ${didYouMean(key, names)}It may have ${names.join(', ')}.` : ''}`

/** Of the ways in which a part may be written, the one of the type that it has. */
function meant(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  return branches.find(
    (issues) => !issues.some(({ code, path }) => code === 'invalid_type' && path.length === 0),
  )
}

function messageOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return mustBe(typeInWords(issue.expected), issue.input)
    case 'invalid_value':
      return mustBe(`${issue.values.length > 1 ? 'one of ' : ''}${issue.values.join(', ')}`, issue.input)
    case 'too_small':
      if (issue.origin === 'array' || issue.origin === 'string') return 'it must not be empty.'
      return mustBe(issue.inclusive ? `${issue.minimum} or more` : `more than ${issue.minimum}`, issue.input)
    case 'too_big':
      return mustBe(`${issue.maximum} or less`, issue.input)
    case 'invalid_key':
      return messageOf(issue.issues[0])
    default: // the schema's own words
      return issue.message
  }
}

export const mustBe = (what: string, input: unknown): string =>
  input === undefined
    ? `it is missing; it must be ${what}.`
    : `it must be ${what}, not ${valueInWords(input)}.`

function valueInWords(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return inWords.array
  return typeof value === 'object' ? inWords.object : typeof value === 'string' ? `"${value}"` : `${value}`
}

const inWords = {
  array: 'a list',
  object: 'a map',
  int: 'a whole number',
  boolean: 'true or false',
  string: 'a text',
} as const

export const typeInWords = (expected: string): string =>
  Object.hasOwn(inWords, expected) ? inWords[expected as keyof typeof inWords] : `a ${expected}`

const typesOf = (branches: readonly (readonly Issue[])[]): string[] =>
  branches.flatMap(([issue]) => (issue?.code === 'invalid_type' ? [typeInWords(issue.expected)] : []))
