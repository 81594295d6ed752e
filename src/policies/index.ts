export {
  builtInParameters,
  composePolicy,
  createPolicy,
  describePieces,
  describePolicies,
  findPolicy,
  type PolicyOverrides,
  policyNames,
} from './by-name.js'
export { definePolicy, type PolicyDefinition } from './definition.js'
export * as parameter from './parameter.js'
export {
  type Changes,
  type Overrides,
  type Parameter,
  type Parameters,
  parseValue,
  type Value,
  valuesOf,
} from './parameter.js'
