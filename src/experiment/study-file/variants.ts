/** Sweeps: a policy whose parameters have several values stands for all their combinations. */
import type { Value } from '../../policies/index.js'
import { formatSpec } from '../policy.js'
import type { PolicyText } from './schema.js'

/** How many rows a study may have at most. */
export const MOST_ROWS = 256

/** How many policies an entry stands for. */
export const countVariants = (entry: PolicyText): number =>
  typeof entry === 'string' ? 1 : axes(entry).reduce((product, [, values]) => product * values.length, 1)

/** The specifications of these, the last key's values varying fastest. */
export function variants(entry: PolicyText): string[] {
  if (typeof entry === 'string') return [entry]
  const all = axes(entry).reduce<Record<string, Value>[]>(
    (some, [key, values]) => some.flatMap((one) => values.map((value) => ({ ...one, [key]: value }))),
    [{}],
  )
  return all.map((overrides) => formatSpec(entry.policy, overrides))
}

/** The keys that are changed of the policy, each with all its values. */
export function axes({ policy: _, ...overrides }: Exclude<PolicyText, string>): [string, readonly Value[]][] {
  return Object.entries(overrides as Record<string, Value | Value[] | undefined>).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, Array.isArray(value) ? value : [value]]],
  )
}
