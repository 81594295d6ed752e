export {
  type Branching,
  type Place,
  type RunnersUp,
  type SiblingPass,
  type Siblings,
  SPARE_CELLS,
} from './branches.js'
export { type ChainPieces, chain, type ImagePast } from './chain.js'
export { type Draft, NO_CODE, type Noise, parentOf } from './draft.js'
export { type Draw, type Drawn, greedy, gumbel, independent, maximal } from './draw.js'
export { fanOut } from './fan-out.js'
export { grouped } from './grouped.js'
export {
  above,
  gaussian,
  type Initializer,
  left,
  likeliest,
  random,
  repeat,
  vertical,
} from './initializer.js'
export { gathered, latentNearest } from './latent-nearest.js'
export { type Denoising, denoiseByDistance, denoiseByPasses } from './levels.js'
export type { Model } from './model.js'
export { type CodeVectors, nearestCodes, squaredDistance } from './neighbours.js'
export { denoise, type NoiseSchedule, noiseSchedules, type SignalAndNoise } from './noise-schedule.js'
export { ANCHOR, type Decodable, LATENT, type PassPlan } from './pass.js'
export type { PassRecord } from './pass-record.js'
export {
  checkPolicy,
  type DecodingPolicy,
  type ImageState,
  type Pass,
  PolicyError,
  type Verdict,
} from './policy.js'
export { exactPrefix, type PrefixRule, relaxedPrefix, verifyPrefix } from './prefix.js'
export {
  draftProbability,
  type Proposal,
  proposalProbability,
  sampleResidual,
  subtract,
} from './proposal.js'
export { reuse } from './reuse.js'
export { type RowPieces, rowParallel } from './row-parallel.js'
export type { RowStarts } from './rows.js'
export { runnersUp } from './runners-up.js'
export { Trajectory, type TrajectoryOptions } from './trajectory.js'
export { type WavefrontPieces, wavefront } from './wavefront.js'
