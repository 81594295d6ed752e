/** Loads TypeScript files that users write: policies, and what else a program lets them write. */
export type { Blame } from './blame.js'
export type { Expected } from './expected.js'
export { loadModule, type SourceFiles, type UserModule } from './module.js'
export { loadPolicyFile, openPolicyFile, type PolicyFactory, type UserPolicy } from './policy.js'
