import { type DecodingPolicy, PolicyError } from '../decoding/index.js'
import type { Blame } from './blame.js'

/**
 * A user's policy, whose mistakes are told as such: what a decision of it throws becomes a PolicyError that names the
 * decision and the line.
 */
export function guarded(policy: DecodingPolicy, blame: Blame): DecodingPolicy {
  const { name, exact, noisy, freeWindow, codebook } = policy
  return {
    name,
    exact,
    noisy,
    ...(freeWindow !== undefined && { freeWindow }),
    ...(codebook !== undefined && { codebook }),
    schedule: (image) => guard(() => policy.schedule(image), `${name} failed in schedule`, blame),
    verify: (pass, image) => guard(() => policy.verify(pass, image), `${name} failed in verify`, blame),
    refine: (pass, image, verdict) =>
      guard(() => policy.refine(pass, image, verdict), `${name} failed in refine`, blame),
  }
}

/**
 * What a user's code gives.
 * @throws PolicyError that begins with `what` and names the line, where the code throws; as it is, what says itself what
 *   to do, and what came from no line of the user's.
 */
export function guard<T>(code: () => T, what: string, blame: Blame): T {
  try {
    return code()
  } catch (error) {
    const place = blame(error)
    if (place === null || (error instanceof Error && 'remedy' in error)) throw error
    throw new PolicyError(`${what}, at ${place}: ${String(error)}`, 'Mend the file.', { cause: error })
  }
}
