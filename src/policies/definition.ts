import type { DecodingPolicy, Model } from '../decoding/index.js'
import type { Parameters, Values } from './parameter.js'

/**
 * A policy with parameters of its own, as a user's file exports it:
 *
 *     export default definePolicy({
 *       summary: 'accepts a draft that is typical',
 *       parameters: { epsilon: parameter.number(0.2, 'least probability of a draft', { least: 0, most: 1 }) },
 *       create: ({ epsilon }, model) => chain({ … }),
 *     })
 */
export interface PolicyDefinition<P extends Parameters = Parameters> {
  /** One line. */
  readonly summary?: string
  /** Where it comes from. */
  readonly paper?: string
  readonly parameters: P
  /**
   * @param values of all parameters, in their ranges.
   * @throws PolicyError where they make no sense together.
   */
  create(values: Values<P>, model: Model): DecodingPolicy
}

/** The definition itself; `create` gets the types of the values from the parameters. */
export const definePolicy = <const P extends Parameters>(
  definition: PolicyDefinition<P>,
): PolicyDefinition<P> => definition
