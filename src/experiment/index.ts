/** Runs: what is measured, how it is kept, read and made again. */
export { hashCheckpoint } from './checkpoint.js'
export { type Costs, costsOf } from './costs.js'
export { describeEnvironment, type Environment } from './environment.js'
export { ExperimentError, reasonOf } from './error.js'
export { type Trial, wantsFastestWindow, withFastestWindow } from './fastest-window.js'
export { type NewRun, openFolder } from './folder.js'
export { deciding, settingsHash, shortHash } from './identity.js'
export { MOST_IMAGES, type RunState } from './images.js'
export { checkpointOf } from './loading.js'
export {
  type Manifest,
  type ManifestImage,
  type ManifestRun,
  manifestFile,
  readManifest,
} from './manifest.js'
export type { MetricChoice } from './metrics/choice.js'
export type { MeasuredPicture, Measurement, Metric } from './metrics/metric.js'
export { SCENES } from './metrics/scenes.js'
export { numbered } from './numbering.js'
export { checkOutput, checkRoom, pictureBytes, withOutput, writeWhole } from './output.js'
export { commandOf, type Parameters, quoted, readParameters } from './parameters.js'
export { pictureName } from './picture.js'
export {
  choosePolicies,
  choosePolicy,
  formatSpec,
  isFile,
  type PolicyChoice,
  splitSpec,
  usualPolicy,
  withWholeSpec,
} from './policy.js'
export { listPrompts, type Prompt, readPrompts } from './prompts.js'
export { randomStream } from './random.js'
export type { ImageRecord } from './record.js'
export { type Change, changes, checkCheckpoint, checkTokens } from './replay/checks.js'
export { type Replayed, replayRun, restorePolicies } from './replay/replay.js'
export { type ImageKey, readResults } from './results.js'
export { type Contender, checkRows, rowId, type Study, type StudyImage } from './rows.js'
export { scenePrompts } from './scene-prompts.js'
export { builtIn } from './source.js'
export { Stopping, type WindDown } from './stopping.js'
export { type FailedImage, runStudy } from './study.js'
export { readStudy } from './study-file/read.js'
export { type Row, summarize } from './summary.js'
export { type RecordedTrajectory, trajectoriesFolder, trajectorySchema } from './trajectory-record.js'
export { knownWords, type LeftOut, named, type Reading, readWords } from './words.js'
