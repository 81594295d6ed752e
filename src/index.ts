/**
 * What a researcher imports from 'sjd2': the pieces of decoding, the published policies, the numerics
 * beneath.
 */
export * from './decoding/index.js'
export * from './numerics/index.js'
export * from './policies/index.js'
