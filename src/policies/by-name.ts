/** The built-in policies by name. */

import { didYouMean } from '../common/did-you-mean.js'
import { checkPolicy, type DecodingPolicy, type Model, PolicyError } from '../decoding/index.js'
import { autoregressive } from './autoregressive.js'
import type { BuiltInPolicy } from './built-in.js'
import { gsd } from './gsd.js'
import { jacobi } from './jacobi.js'
import { lantern } from './lantern.js'
import { mcSjd } from './mc-sjd.js'
import type { Overrides, Parameter, Parameters } from './parameter.js'
import { pjd } from './pjd.js'
import { sjd } from './sjd.js'
import { sjdPac } from './sjd-pac.js'
import { sjdPlusPlus } from './sjd-plus-plus.js'
import { sjd2 } from './sjd2.js'
import { sjd2Paper } from './sjd2-paper.js'
import { sjd2Tree } from './sjd2-tree.js'
import { zipar } from './zipar.js'

const definitions = [
  autoregressive,
  jacobi,
  sjd,
  sjdPlusPlus,
  mcSjd,
  sjdPac,
  gsd,
  lantern,
  zipar,
  pjd,
  sjd2,
  sjd2Tree,
  sjd2Paper,
] as const

export const policyNames: readonly string[] = definitions.map(({ name }) => name)

type ParametersOf<D> = D extends BuiltInPolicy<infer P> ? P : never
type AllParameters = ParametersOf<(typeof definitions)[number]>
type Names<P> = P extends unknown ? keyof P : never
type ValueAt<P, K> = P extends { readonly [k in K & string]: Parameter<infer T> } ? T : never
/** A user's text may be no name that there is: that is found when the policy is made. */
type Any<T> = T extends string ? string : T

/** What a user may change of a policy by name. Whether the policy has it is found when the policy is made. */
export type PolicyOverrides = {
  readonly [K in Names<AllParameters>]?: Any<ValueAt<AllParameters, K>> | undefined
}

/** Every parameter that some policy has, as the first that has it declares it. */
export const builtInParameters: Parameters = everyParameter()

function everyParameter(): Parameters {
  const all: Record<string, Parameter> = {}
  for (const { parameters } of definitions) {
    for (const [name, parameter] of Object.entries(parameters)) all[name] ??= parameter
  }
  return all
}

/** What there is to choose from, `exact` as the default settings make it. */
export function describePolicies(): (Pick<BuiltInPolicy, 'name' | 'summary' | 'paper' | 'defaults'> & {
  readonly exact: boolean
})[] {
  return definitions.map(({ name, summary, paper, defaults, create }) => ({
    name,
    exact: create({}).exact,
    summary,
    paper,
    defaults,
  }))
}

/** The pieces of a policy under overrides, in words, by what they decide. */
export function describePieces(
  policy: BuiltInPolicy,
  overrides: Overrides,
): Readonly<Record<string, string>> {
  const pieces = Object.entries(policy.pieces(overrides)) as [
    string,
    number | { readonly name?: string } | null,
  ][]
  return Object.fromEntries(
    pieces.flatMap(([decision, piece]) => {
      if (piece === null || piece === undefined) return []
      return [[decision, typeof piece === 'number' ? String(piece) : (piece.name ?? 'its own')]]
    }),
  )
}

/**
 * A built-in policy by its name or another name that it has.
 * @throws PolicyError where there is none.
 */
export function findPolicy(name: string): BuiltInPolicy {
  const found = (definitions as readonly BuiltInPolicy[]).find(
    (one) => one.name === name || one.aliases?.includes(name),
  )
  if (found !== undefined) return found
  throw new PolicyError(
    `There is no policy "${name}".`,
    `${didYouMean(name, policyNames)}Choose one of ${policyNames.join(', ')}, or give the path of a policy file of your own (./mine.ts).`,
  )
}

/**
 * A built-in policy by name, with what the user changes of it.
 *
 * @throws PolicyError where there is no such policy, the overrides make no sense, or the model cannot serve
 *   it.
 */
export function createPolicy(name: string, overrides: PolicyOverrides, model: Model): DecodingPolicy {
  const policy = composePolicy(name, overrides)
  checkPolicy(policy, model)
  return policy
}

/** As `createPolicy`, before the model is known. */
export function composePolicy(name: string, overrides: Overrides): DecodingPolicy {
  return findPolicy(name).create(overrides)
}
