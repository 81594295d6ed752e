import { checkPolicy, type DecodingPolicy, type Model, PolicyError } from '../decoding/index.js'
import type { PolicyOverrides } from '../policies/index.js'
import type { Expected } from './expected.js'
import { guard, guarded } from './guard.js'
import { loadModule, type SourceFiles, type UserModule } from './module.js'

/** Makes a policy for a model, under what the user changes of it. */
export type PolicyFactory = (model: Model, overrides: PolicyOverrides) => DecodingPolicy

/** A policy of the user's own, and the text that it was made from. */
export interface UserPolicy {
  readonly create: PolicyFactory
  readonly source: SourceFiles
}

const expected: Expected = {
  noun: 'policy',
  types: ['DecodingPolicy', 'PolicyFactory'],
  refuse: (message, remedy) => new PolicyError(message, remedy),
}

/** As `openPolicyFile`, without the text. */
export async function loadPolicyFile(path: string): Promise<PolicyFactory> {
  return (await openPolicyFile(path)).create
}

/**
 * Loads a policy of the user's own: a TypeScript file anywhere on disk, whose default export is a
 * `DecodingPolicy` or a `PolicyFactory`, and which imports its pieces from 'sjd2' (see `loadModule`).
 *
 * @throws PolicyError with `file:line: message` where it does not compile, run, or export a policy; the
 *   factory returned, where what it makes is none, or does not fit the model.
 */
export async function openPolicyFile(path: string): Promise<UserPolicy> {
  const module = await loadModule(path, expected)
  return { create: (model, overrides) => create(module, model, overrides), source: module.source }
}

function create(
  { file, exported, blame }: UserModule,
  model: Model,
  overrides: PolicyOverrides,
): DecodingPolicy {
  const make = () =>
    typeof exported === 'function' ? (exported as PolicyFactory)(model, overrides) : exported
  const policy = guard(make, 'The policy could not be made', blame)
  if (!isPolicy(policy)) {
    throw new PolicyError(
      `${file}: its default export gave no DecodingPolicy.`,
      'Return what chain() makes, or an object with name, exact, noisy, schedule, verify and refine.',
    )
  }
  const changes = Object.entries(overrides).flatMap(([key, value]) => (value === undefined ? [] : [key]))
  if (policy === exported && changes.length > 0) {
    throw new PolicyError(
      `${file} exports a finished policy: ${changes.join(', ')} cannot change it.`,
      'Leave them out, or export a function (model, overrides) => DecodingPolicy.',
    )
  }
  checkPolicy(policy, model)
  return guarded(policy, blame)
}

function isPolicy(value: unknown): value is DecodingPolicy {
  if (typeof value !== 'object' || value === null) return false
  const policy = value as Partial<Record<keyof DecodingPolicy, unknown>>
  return (
    typeof policy.name === 'string' &&
    typeof policy.exact === 'boolean' &&
    typeof policy.noisy === 'boolean' &&
    [policy.schedule, policy.verify, policy.refine].every((decision) => typeof decision === 'function')
  )
}
