import { checkPolicy, type DecodingPolicy, type Model, PolicyError } from '../decoding/index.js'
import type { Overrides, PolicyDefinition, PolicyOverrides } from '../policies/index.js'
import { valuesOf } from '../policies/index.js'
import type { Expected } from './expected.js'
import { guard, guarded } from './guard.js'
import { loadModule, type SourceFiles, type UserModule } from './module.js'

/** Makes a policy for a model, under what the user changes of it. */
export type PolicyFactory = (model: Model, overrides: PolicyOverrides) => DecodingPolicy

/** A policy of the user's own, and the text that it was made from. */
export interface UserPolicy {
  readonly create: (model: Model, overrides: Overrides) => DecodingPolicy
  /** null: a finished policy or a factory, which declares no parameters. */
  readonly definition: PolicyDefinition | null
  /** @throws PolicyError where the definition has no such parameters, or not these values. */
  check(overrides: Overrides): void
  readonly source: SourceFiles
}

const expected: Expected = {
  noun: 'policy',
  types: ['DecodingPolicy', 'PolicyFactory', 'PolicyDefinition'],
  refuse: (message, remedy) => new PolicyError(message, remedy),
}

/** As `openPolicyFile`, without the text. */
export async function loadPolicyFile(path: string): Promise<UserPolicy['create']> {
  return (await openPolicyFile(path)).create
}

/**
 * Loads a policy of the user's own: a TypeScript file anywhere on disk, whose default export is a
 * `PolicyDefinition`, a `PolicyFactory` or a `DecodingPolicy`, and which imports its pieces from 'sjd2' (see
 * `loadModule`).
 *
 * @throws PolicyError with `file:line: message` where it does not compile, run, or export a policy; what is
 *   returned, where what it makes is none, or does not fit the model.
 */
export async function openPolicyFile(path: string): Promise<UserPolicy> {
  const module = await loadModule(path, expected)
  const definition = isDefinition(module.exported) ? module.exported : null
  if (definition !== null) checkDefinition(module.file, definition)
  return {
    create: (model, overrides) => create(module, model, overrides),
    definition,
    check(overrides) {
      if (definition !== null) valuesOf(module.file, definition.parameters, overrides)
    },
    source: module.source,
  }
}

function create(module: UserModule, model: Model, overrides: Overrides): DecodingPolicy {
  const { file, exported, blame } = module
  const policy = guard(() => make(module, model, overrides), 'The policy could not be made', blame)
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
      'Leave them out, or export definePolicy({ parameters, create }).',
    )
  }
  checkPolicy(policy, model)
  return guarded(policy, blame)
}

function make({ file, exported }: UserModule, model: Model, overrides: Overrides): unknown {
  if (isDefinition(exported)) return exported.create(valuesOf(file, exported.parameters, overrides), model)
  return typeof exported === 'function'
    ? (exported as PolicyFactory)(model, overrides as PolicyOverrides)
    : exported
}

function isDefinition(value: unknown): value is PolicyDefinition {
  if (typeof value !== 'object' || value === null) return false
  const { parameters, create } = value as Partial<Record<keyof PolicyDefinition, unknown>>
  return typeof parameters === 'object' && parameters !== null && typeof create === 'function'
}

/** Keys that a study's entry has beside the parameters. */
const RESERVED = ['policy']

/** @throws PolicyError where a parameter's name or default is none that a user could write. */
function checkDefinition(file: string, { parameters }: PolicyDefinition): void {
  for (const [name, parameter] of Object.entries(parameters)) {
    if (!/^[a-z]\w*$/i.test(name) || RESERVED.includes(name)) {
      throw new PolicyError(
        `${file} has a parameter that is called "${name}", which nobody could write as ${name}=value.`,
        `Give it a name of letters and digits other than ${RESERVED.join(', ')}.`,
      )
    }
    try {
      parameter.check(name, parameter.default)
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error
      throw new PolicyError(`${file}: by default, ${error.message}`, `Give another default. ${error.remedy}`)
    }
  }
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
