/** What zod found wrong, in words for whoever wrote the file. */
import type { z } from 'zod'
import { didYouMean } from '../../policies/did-you-mean.js'
import type { Path, Problem } from './source-map.js'

type Issue = z.core.$ZodIssue

/** @param known the keys that a part may have, by the first key of its path. */
export const problemsOf = (
  issues: readonly Issue[],
  known: Readonly<Record<string, readonly string[]>>,
): Problem[] => issues.flatMap((issue) => problems(issue, [], known))

function problems(issue: Issue, above: Path, known: Readonly<Record<string, readonly string[]>>): Problem[] {
  const path = [...above, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))]
  if (issue.code === 'invalid_union') {
    const branch = meant(issue.errors)
    if (branch) return branch.flatMap((inner) => problems(inner, path, known))
    return [{ path, message: `it must be ${typesOf(issue.errors).join(' or ')}.` }]
  }
  if (issue.code === 'invalid_type') return [{ path, message: `it must be ${typeInWords(issue.expected)}.` }]
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }]
  const names = known[String(path[0] ?? '')] ?? []
  return issue.keys.map((key) => ({
    path: [...path, key],
    message: `there is no such key. ${didYouMean(key, names)}It may have ${names.join(', ')}.`,
  }))
}

/** Of the ways in which a part may be written, the one of the type that it has. */
function meant(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  return branches.find(
    (issues) => !issues.some(({ code, path }) => code === 'invalid_type' && path.length === 0),
  )
}

const inWords: Readonly<Record<string, string>> = {
  array: 'a list',
  object: 'a map',
  int: 'a whole number',
  boolean: 'true or false',
}

const typeInWords = (expected: string): string => inWords[expected] ?? `a ${expected}`

const typesOf = (branches: readonly (readonly Issue[])[]): string[] =>
  branches.flatMap(([issue]) => (issue?.code === 'invalid_type' ? [typeInWords(issue.expected)] : []))
