import { didYouMean } from '../common/did-you-mean.js'
import { checkPolicy, type DecodingPolicy, type Model, PolicyError } from '../decoding/index.js'
import { autoregressive } from './autoregressive.js'
import type { PolicyDefinition } from './definition.js'
import { gsd } from './gsd.js'
import { jacobi } from './jacobi.js'
import { lantern } from './lantern.js'
import { mcSjd } from './mc-sjd.js'
import type { PolicyOverrides } from './overrides.js'
import { pjd } from './pjd.js'
import { sjd } from './sjd.js'
import { sjdPac } from './sjd-pac.js'
import { sjdPlusPlus } from './sjd-plus-plus.js'
import { sjd2 } from './sjd2.js'
import { sjd2Paper } from './sjd2-paper.js'
import { sjd2Tree } from './sjd2-tree.js'
import { zipar } from './zipar.js'

export type { PolicyOverrides } from './overrides.js'

const definitions: readonly PolicyDefinition[] = [
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
]

export const policyNames: readonly string[] = definitions.map(({ name }) => name)

/** What there is to choose from, `exact` as the default settings make it. */
export function describePolicies(): (Omit<PolicyDefinition, 'create'> & { readonly exact: boolean })[] {
  return definitions.map(({ create, name, ...description }) => ({
    name,
    exact: create({}).exact,
    ...description,
  }))
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
export function composePolicy(name: string, overrides: PolicyOverrides): DecodingPolicy {
  const definition = definitions.find((candidate) => candidate.name === name)
  if (definition === undefined) {
    throw new PolicyError(
      `There is no policy "${name}".`,
      `${didYouMean(name, policyNames)}Choose one of ${policyNames.join(', ')}, or give the path of a policy file of your own (./mine.ts).`,
    )
  }
  return definition.create(overrides)
}
