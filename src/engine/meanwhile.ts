import { setImmediate } from 'node:timers/promises'
import type { Decodable } from '../decoding/pass.js'

/**
 * Waits for what is on its way, and lets images prepare for it meanwhile: a little at a time, and before each whatever has
 * arrived is received, so that what is there is not kept waiting.
 */
export async function meanwhile<T>(awaited: Promise<T>, images: Iterable<Decodable>): Promise<T> {
  let there = false
  const arrived = () => {
    there = true
  }
  awaited.then(arrived, arrived)
  for (const image of images) {
    for (let more = image.prepare !== undefined; more; more = image.prepare?.() ?? false) {
      await setImmediate()
      if (there) return awaited
    }
  }
  return awaited
}
