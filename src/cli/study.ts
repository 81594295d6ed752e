/** Conducts a run, whoever asked for it: opens the session and the folder, makes the images, shows how far it is. */
import { join } from 'node:path'
import type { Session } from '../engine/index.js'
import {
  builtIn,
  type Contender,
  checkpointOf,
  checkRoom,
  checkRows,
  describeEnvironment,
  type Environment,
  ExperimentError,
  type FailedImage,
  hashCheckpoint,
  type ImageRecord,
  type LeftOut,
  type Manifest,
  type ManifestImage,
  type MetricChoice,
  type NewRun,
  named,
  openFolder,
  type PolicyChoice,
  type Prompt,
  pictureBytes,
  pictureName,
  rowId,
  runStudy,
  SCENES,
  Stopping,
  type Study,
  type StudyImage,
  settingsHash,
  shortHash,
  type Trial,
  type WindDown,
  withOutput,
} from '../experiment/index.js'
import type { Sampling } from '../numerics/index.js'
import type { SamplingOptions } from './options.js'
import { bundledCheckpoint, findPython, formatRun, tokenize, withSession } from './session.js'
import { formatDuration, type Progress } from './terminal.js'
import { given } from './values.js'
import type { WorkerOptions } from './worker-options.js'

/** What a user asks for, before the model is known. */
export interface Plan {
  readonly command: Manifest['command']
  readonly folder: string
  readonly choices: (session: Session, trial: Trial) => Promise<readonly PolicyChoice[]>
  /** null: what the model's card recommends. */
  readonly guidance: readonly number[] | null
  /** What is not given comes from the model's card. */
  readonly sampling: SamplingOptions
  readonly prompts: readonly Prompt[]
  /** Whether prompts that the model cannot be given are left out, and their images with them. */
  readonly skipBadPrompts: boolean
  /** Of the prompts. */
  readonly images: readonly ManifestImage[]
  readonly judged: boolean
  readonly metrics: readonly MetricChoice[]
  /** Of how many images, the first ones, each row's trajectories are kept. */
  readonly trajectories: number
  /** Where pictures are kept: not at all, in the folder itself, or in a folder for each row. */
  readonly pictures: 'none' | 'together' | 'by-row'
}

/** What came of it. */
export interface Outcome {
  readonly environment: Environment
  readonly sampling: Sampling
  readonly contenders: readonly Contender[]
  readonly records: readonly ImageRecord[]
  readonly failed: readonly FailedImage[]
}

export interface Conducting {
  readonly signal: AbortSignal
  readonly progress: Progress
  readonly onImage?: (record: ImageRecord) => void
  /** Told first which images are there already. */
  readonly onFound?: (records: readonly ImageRecord[]) => void
  /** Before the session is closed. */
  readonly onEnd?: (outcome: Outcome, session: Session) => Promise<void> | void
}

/** Of the picture that is called `name`. */
const pictureFile: Record<Plan['pictures'], (contender: Contender, name: string) => string | null> = {
  none: () => null,
  together: (_, name) => name,
  'by-row': (contender, name) => join(rowId(contender), name),
}

/** More than a line of results takes, for each token and besides. */
const TOKEN_BYTES = 16
const RESULT_BYTES = 1 << 12
/** More than a pass of a trajectory takes, for each token of the image: a pass commits one at least. */
const PASS_BYTES = 1 << 10

/** @throws whatever the session, the folder, the policies and the metrics refuse. */
export async function conduct(plan: Plan, options: WorkerOptions, conducting: Conducting): Promise<void> {
  const { folder, images } = plan
  const { signal, progress } = conducting
  const stopping = new Stopping(signal, (left) => progress.log(windDownLine(left)))
  await withOutput(folder, () => {
    // while the worker reads the same files
    const over = new AbortController()
    const files = hashCheckpoint(options.model ?? bundledCheckpoint, { signal: over.signal })
    files.catch(() => {})
    return withSession(options, images.length, { signal: stopping.now, progress }, async (session) => {
      const outcome = await run(session, plan, options, files, stopping, conducting)
      await conducting.onEnd?.(outcome, session)
      if (outcome.failed.length > 0) throw someFailed(outcome)
    }).finally(() => over.abort())
  })
}

function someFailed({ records, failed }: Outcome): ExperimentError {
  const lines = failed.map(({ request, error }) => {
    const { spec, guidance, seed, index, prompt } = request
    const reason = error instanceof Error ? error.message : String(error)
    return `${spec} g=${guidance} seed ${seed} index ${index} ${JSON.stringify(prompt)}: ${reason}`
  })
  return new ExperimentError(
    'failed-images',
    [
      `${failed.length} of ${records.length + failed.length} images failed; the others are kept.`,
      ...named(lines).map((line) => `  ${line}`),
    ].join('\n'),
    'Mend what failed and give the same command again: it makes what is missing.',
  )
}

function windDownLine({ finishing, lost }: WindDown): string {
  const given =
    lost > 0 ? [`${plural(lost)} of which more was missing ${lost === 1 ? 'is' : 'are'} lost`] : []
  const kept = finishing > 0 ? [`finishing ${plural(finishing)}, a few seconds (once more ends at once)`] : []
  return `Interrupted: ${[...kept, ...given, 'the same command goes on from there'].join('; ')}.`
}

const plural = (count: number): string => (count === 1 ? '1 picture' : `${count} pictures`)

async function run(
  session: Session,
  wanted: Plan,
  options: WorkerOptions,
  files: ReturnType<typeof hashCheckpoint>,
  stopping: Stopping,
  { progress, onImage, onFound }: Conducting,
): Promise<Outcome> {
  const { prompts, skipBadPrompts } = wanted
  const { tokenized, leftOut } = await tokenize(session, prompts, options, progress, skipBadPrompts)
  const plan = { ...wanted, images: wanted.images.filter(({ prompt }) => tokenized.has(prompt)) }
  const { command, folder, images, judged, metrics, trajectories, pictures } = plan
  const asked = images.map((image) => ({ ...image, tokenized: tokenized.get(image.prompt)! }))
  const { sampling, contenders } = await settle(
    session,
    plan,
    asked.slice(0, options.imagesAtOnce),
    stopping.now,
  )
  checkRows(contenders)
  await checkRoom(folder, roomFor(session, plan, contenders))
  const environment = await describeEnvironment(
    session.hello,
    files,
    findPython(options.python),
    options.adapter,
  )
  const asManifest = runOf(plan, leftOut, options, environment, sampling, contenders)
  const { id } = await openFolder(folder, command, asManifest)
  const settings = new Map(contenders.map((one, i) => [one, settingsHash(asManifest, asManifest.rows[i])]))
  const hashOf = (contender: Contender, prompt: string) => shortHash(settings.get(contender)!, prompt)

  const study: Study = {
    folder,
    run: id,
    contenders,
    images: asked,
    sampling,
    judged,
    metrics,
    trajectories,
    fileOf: (contender, image) =>
      pictureFile[pictures](contender, pictureName(image, hashOf(contender, image.prompt))),
    hashOf,
    provenance: { checkpoint: asManifest.checkpoint, environment },
  }
  try {
    const { records, failed } = await runStudy(session, study, {
      stopping,
      onStep(contender, state, left) {
        const { choice, guidance } = contender
        const place = `${contenders.indexOf(contender) + 1}/${contenders.length}`
        const row = contenders.length > 1 ? `row ${place} ${choice.spec} g=${guidance} · ` : ''
        const time = left === null ? '' : ` · about ${formatDuration(left)} left`
        progress.show(`${row}${formatRun(state)}${time}`)
      },
      ...given({ onImage, onFound }),
    })
    return { environment, sampling, contenders, records, failed }
  } finally {
    progress.clear()
  }
}

/**
 * What the model's card and the plan together say.
 * @param images those that are decoded together first.
 */
async function settle(
  session: Session,
  { choices, guidance, sampling: wanted }: Plan,
  images: readonly StudyImage[],
  signal: AbortSignal,
): Promise<{ sampling: Sampling; contenders: Contender[] }> {
  const { card, model } = session
  const { temperature, topK, topP } = { ...card.sampling, ...wanted }
  const sampling = { temperature, topK, topP }
  const scales = guidance ?? [card.sampling.guidance]
  const chosen = await choices(session, { images, sampling, guidance: scales[0], signal })
  const contenders = scales.flatMap((guidance) =>
    chosen.map((choice) => ({ choice, policy: choice.create(model), guidance })),
  )
  for (const { policy } of contenders) await session.fit(policy)
  return { sampling, contenders }
}

function runOf(
  { images, judged, metrics }: Plan,
  leftOut: readonly LeftOut[],
  options: WorkerOptions,
  environment: Environment,
  sampling: Sampling,
  contenders: readonly Contender[],
): NewRun {
  const own = metrics.map(({ name, source }) => ({ name, source }))
  return {
    environment,
    checkpoint: checkpointOf(options),
    imagesAtOnce: options.imagesAtOnce,
    sampling,
    metrics: judged ? [{ name: SCENES, source: builtIn(SCENES) }, ...own] : own,
    rows: contenders.map((contender) => {
      const { choice, policy, guidance } = contender
      const { spec, overrides, source } = choice
      return {
        id: rowId(contender),
        spec,
        policy: policy.name,
        exact: policy.exact,
        overrides: Object.fromEntries(Object.entries(overrides)),
        guidance,
        source,
      }
    }),
    images: [...images],
    leftOut: [...leftOut],
  }
}

/** Bytes on the disk, at most about. */
function roomFor(
  { card }: Session,
  { images, trajectories, pictures }: Plan,
  contenders: readonly Contender[],
): number {
  const tokens = card.layout.length
  const image = RESULT_BYTES + TOKEN_BYTES * tokens + (pictures === 'none' ? 0 : pictureBytes(card.picture))
  return (
    contenders.length * (images.length * image + Math.min(trajectories, images.length) * PASS_BYTES * tokens)
  )
}
