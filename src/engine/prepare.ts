import { setImmediate } from 'node:timers/promises'
import type { Decodable } from '../decoding/index.js'

/**
 * Waits for a promise, and lets images prepare their next pass until it settles: a little at a time, and before each
 * whatever has arrived on a socket is received, so that an answer is not kept waiting.
 */
export async function prepareUntil<T>(
  awaited: Promise<T>,
  images: Iterable<Pick<Decodable, 'prepare'>>,
): Promise<T> {
  let settled = false
  const onSettled = () => {
    settled = true
  }
  awaited.then(onSettled, onSettled)
  for (const image of images) {
    for (let more = image.prepare !== undefined; more; more = image.prepare?.() ?? false) {
      await setImmediate()
      if (settled) return awaited
    }
  }
  return awaited
}
