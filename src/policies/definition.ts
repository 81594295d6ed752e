import type { DecodingPolicy } from '../decoding/index.js'
import type { PolicyOverrides } from './overrides.js'

/** A policy by name, before a user changes anything of it. */
export interface PolicyDefinition {
  readonly name: string
  /** One line. */
  readonly summary: string
  /** Where it comes from. */
  readonly paper: string
  /** Whose its settings are before a user changes them. */
  readonly defaults: string
  /** @throws PolicyError where the overrides make no sense. */
  create(overrides: PolicyOverrides): DecodingPolicy
}
