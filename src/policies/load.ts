import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { checkPolicy, type DecodingPolicy, type Model, PolicyError } from '../decoding/index.js'
import type { PolicyOverrides } from './overrides.js'

/** Makes a policy for a model, under what the user changes of it. */
export type PolicyFactory = (model: Model, overrides: PolicyOverrides) => DecodingPolicy

/**
 * Loads a policy of the user's own: a TypeScript file anywhere on disk, whose default export is a
 * `DecodingPolicy` or a `PolicyFactory`, and which imports its pieces from 'sjd2'. It is type-checked by the
 * project's compiler settings before any of it runs. It cannot await at its top level.
 *
 * @throws PolicyError with `file:line: message` where it does not compile, run, or export a policy; the
 *   factory returned, where what it makes is none, or does not fit the model.
 */
export async function loadPolicyFile(path: string): Promise<PolicyFactory> {
  const file = resolve(path)
  if (!existsSync(file)) throw new PolicyError(`There is no policy file ${file}.`, 'Check the path.')
  if (!/\.m?ts$/.test(file)) {
    throw new PolicyError(`${file} is no TypeScript file.`, 'Give a policy a name that ends in .ts.')
  }
  // The compiler is loaded only here: it is large, and most runs need none.
  const [{ default: ts }, { typeCheck }, { evaluate }, library] = await Promise.all([
    import('typescript'),
    import('./type-check.js'),
    import('./evaluate.js'),
    import('../index.js'),
  ])
  const options = typeCheck(ts, file)
  const exported = (await evaluate(ts, file, options, library)).default
  return (model, overrides) => {
    const policy = typeof exported === 'function' ? (exported as PolicyFactory)(model, overrides) : exported
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
    return policy
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
