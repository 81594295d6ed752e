/** Tells how much of the policies' time is numerics: distributions, races, noise. */
import { type DecodingPolicy, type Pass, Trajectory } from '../src/decoding/index.js'
import { ImageRandom } from '../src/numerics/index.js'

let seconds = 0

/** Seconds that numerics took so far. */
export function numericsClock(): number {
  return seconds
}

function timed<A extends unknown[], R>(calculate: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    const begin = performance.now()
    const result = calculate(...args)
    seconds += (performance.now() - begin) / 1000
    return result
  }
}

// What is prepared while a forward is under way takes nothing of a pass.
const { prepare } = Trajectory.prototype
Trajectory.prototype.prepare = function () {
  const before = seconds
  const more = prepare.call(this)
  seconds = before
  return more
}

const { normals } = ImageRandom.prototype
ImageRandom.prototype.normals = function (...args) {
  timed(() => normals.apply(this, args))()
}

/** A policy that decides as the given one does, with its numerics timed. */
export function timedNumerics(policy: DecodingPolicy): DecodingPolicy {
  const timedPass = (pass: Pass): Pass => ({
    ...pass,
    distribution: timed(pass.distribution),
    exponentials: timed(pass.exponentials),
    winner: timed(pass.winner),
  })
  return {
    ...policy,
    verify: (pass, image) => policy.verify(timedPass(pass), image),
    refine: (pass, image, verdict) => policy.refine(timedPass(pass), image, verdict),
  }
}
