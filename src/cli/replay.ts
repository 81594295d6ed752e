/** `sjd2 replay`: a run made again, and compared token by token. */
import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Session } from '../engine/index.js'
import {
  type Change,
  changes,
  checkCheckpoint,
  checkTokens,
  describeEnvironment,
  ExperimentError,
  hashCheckpoint,
  type ImageRecord,
  type ManifestRun,
  manifestFile,
  type PolicyChoice,
  type Replayed,
  readManifest,
  readResults,
  replayRun,
  restorePolicies,
} from '../experiment/index.js'
import { type Connection, withConnected } from './connection.js'
import type { JsonOption } from './options.js'
import { bundledCheckpoint, findPython, formatRun, tokenize, withSession } from './session.js'
import { createProgress, type Progress } from './terminal.js'
import { given } from './values.js'
import type { WorkerOptions } from './worker-options.js'

export interface ReplayOptions
  extends Pick<WorkerOptions, 'model' | 'adapter' | 'python'>,
    Connection,
    JsonOption {
  readonly device?: WorkerOptions['device']
  readonly dtype?: WorkerOptions['dtype']
  readonly anyCheckpoint?: true
}

/** Exit code 1 where a token differs. */
export async function replay(path: string, options: ReplayOptions, signal: AbortSignal): Promise<void> {
  const progress = createProgress(process.stderr)
  const folder = existsSync(path) && statSync(path).isDirectory() ? path : dirname(path)
  const manifest = readManifest(folder === path ? manifestFile(folder) : path)
  const records = readResults(folder)
  if (records.length === 0) {
    throw new ExperimentError(
      'bad-manifest',
      `There are no recorded tokens to compare with: ${folder} holds no results.jsonl with a finished image.`,
      'Keep manifest.json and results.jsonl of a run together, and give their folder.',
    )
  }
  const stray = records.find(({ run }) => !manifest.runs.some(({ id }) => id === run))
  if (stray !== undefined) {
    throw new ExperimentError(
      'bad-manifest',
      `results.jsonl in ${folder} has images of run ${stray.run}, of which its manifest.json says nothing.`,
      'Keep manifest.json and results.jsonl of a run together, and give their folder.',
    )
  }
  const images: Replayed[] = []
  const differences: Change[] = []
  const begun = manifest.runs.filter(({ id }) => records.some(({ run }) => run === id))
  const restored = await Promise.all(
    begun.map(async (run) => ({ run, choices: await restorePolicies(run), records: ofRun(run, records) })),
  )
  for (const [asRecorded, runs] of byWorker(restored, options)) {
    const worker = await withConnected(asRecorded)
    const most = Math.max(...runs.map(({ records }) => records.length))
    await withSession(worker, most, { signal, progress }, async (session) => {
      for (const one of runs) {
        const result = await again(session, one, worker, options, { signal, progress })
        images.push(...result.images)
        differences.push(...result.differences.filter((change) => !differences.some(isSame(change))))
      }
    })
  }
  const identical = images.every((image) => image.identical)
  if (options.json) console.log(JSON.stringify({ identical, changes: differences, images }))
  else console.log(summary(images, differences))
  if (!identical) process.exitCode = 1
}

/** A run of the manifest that has results. */
interface Recorded {
  readonly run: ManifestRun
  readonly choices: readonly PolicyChoice[]
  readonly records: readonly ImageRecord[]
}

const ofRun = ({ id }: ManifestRun, records: readonly ImageRecord[]) =>
  records.filter(({ run }) => run === id)

const isSame =
  (one: Change) =>
  (other: Change): boolean =>
    isDeepStrictEqual(one, other)

/** Runs one behind the other that one worker can make again: it need not be started for each. */
function byWorker(runs: readonly Recorded[], options: ReplayOptions): [WorkerOptions, Recorded[]][] {
  const groups: [WorkerOptions, Recorded[]][] = []
  for (const one of runs) {
    const worker = workerOptions(one.run, options)
    const [before, group] = groups.at(-1) ?? []
    if (group && isDeepStrictEqual(worker, before)) group.push(one)
    else groups.push([worker, [one]])
  }
  return groups
}

/** What the run had, where the user says nothing else. */
const workerOptions = (run: ManifestRun, { device, dtype, ...options }: ReplayOptions): WorkerOptions => ({
  ...given(run.checkpoint),
  ...given({ model: options.model, adapter: options.adapter, python: options.python }),
  ...given({ connect: options.connect, key: options.key }),
  device: device ?? (run.environment.device === 'cpu' ? 'cpu' : 'cuda'),
  dtype: dtype ?? (run.environment.dtype as WorkerOptions['dtype']),
  imagesAtOnce: run.imagesAtOnce,
})

async function again(
  session: Session,
  { run, choices, records }: Recorded,
  worker: WorkerOptions,
  { json, anyCheckpoint }: ReplayOptions,
  { signal, progress }: { signal: AbortSignal; progress: Progress },
): Promise<{ differences: Change[]; images: Replayed[] }> {
  const checkpoint = worker.model ?? bundledCheckpoint
  if (!anyCheckpoint) await checkCheckpoint(run.environment, session.hello, checkpoint)
  checkTokens(session.model, records)
  const now = await describeEnvironment(
    session.hello,
    hashCheckpoint(checkpoint),
    findPython(worker.python),
    worker.adapter,
  )
  const prompts = records.map(({ prompt }) => ({ text: prompt, where: null }))
  const { tokenized } = await tokenize(session, prompts, worker, progress)
  try {
    const images = await replayRun(session, run, choices, records, tokenized, {
      signal,
      onStep: ({ spec, guidance }, state) => progress.show(`${spec} g=${guidance} · ${formatRun(state)}`),
      onImage(image) {
        if (json) return
        progress.clear()
        console.log(describe(image))
      },
    })
    return { differences: changes(run.environment, now), images }
  } finally {
    progress.clear()
  }
}

function describe(image: Replayed): string {
  const { spec, guidance, prompt, seed, index, identical, parting, passesPart, different, length } = image
  const name = `${spec} g=${guidance} seed ${seed} #${index} "${prompt}"`
  const passes = passesPart === null ? '' : `, though by other passes from pass ${passesPart} on`
  if (identical) return `identical  ${name}${passes}`
  if (parting === null)
    return `differs    ${name}: ${different} of ${length} tokens, of what the layout forces`
  const { position, row, column, pass, recordedPass, code, recordedCode } = parting
  const { probability, recordedProbability, margin } = parting
  return [
    `differs    ${name}`,
    `  from position ${position} on (row ${row}, column ${column}), committed by pass ${pass} (recorded: ${recordedPass}): ` +
      `code ${code}, recorded ${recordedCode}; ${different} of ${length} tokens differ`,
    `  probabilities now ${format(probability)} and ${format(recordedProbability)}; margin ${margin === null ? 'none: other drafts, or filtered out' : `${format(margin)} nats`}` +
      `${passesPart !== null && passesPart < pass ? `; the passes had parted at pass ${passesPart}` : ''}`,
  ].join('\n')
}

const format = (value: number): string => value.toPrecision(3)

function summary(images: readonly Replayed[], differences: readonly Change[]): string {
  const identical = images.filter((image) => image.identical).length
  const environment = differences.map(({ what, recorded, now }) => `  ${what}: ${recorded}, now ${now}`)
  return [
    `${identical} of ${images.length} images are identical, token for token.`,
    ...(environment.length > 0 ? ['Since the run, these have changed:', ...environment] : []),
    ...(identical < images.length ? [MARGIN_NOTE] : []),
  ].join('\n')
}

const MARGIN_NOTE =
  'margin: by how much the log-odds of the two codes would have to move for the recorded one to be drawn again.\n' +
  'Rounding moves them by about 1e-5 in f32 and 1e-2 in bf16 and f16; where the margin is much larger, drafts had parted ' +
  'before, or something else differs.'
