export {
  composePolicy,
  createPolicy,
  describePolicies,
  type PolicyOverrides,
  policyNames,
} from './by-name.js'
export { definePolicy, type PolicyDefinition } from './definition.js'
export { loadPolicyFile, type PolicyFactory } from './load.js'
export * as parameter from './parameter.js'
