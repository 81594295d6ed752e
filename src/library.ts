/**
 * What a user's policy or metric can call when it imports from 'sjd2'. The library of embedders (`index.ts`) is this and
 * the loading of such files.
 */
export * from './decoding/index.js'
export * from './numerics/index.js'
export { openSession } from './open-session.js'
export * from './policies/index.js'
