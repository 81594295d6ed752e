/** A run: every row's images, made and measured; each one's record is kept as soon as it is there. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { DecodingPolicy } from '../decoding/index.js'
import type { Session, TokenizedPrompt } from '../engine/index.js'
import type { Sampling } from '../numerics/index.js'
import { ExperimentError } from './error.js'
import { decodeImages, type ImageRequest, type RunState } from './images.js'
import { keepImage } from './keep.js'
import type { MetricChoice } from './metrics/choice.js'
import { specSlug } from './picture.js'
import type { PolicyChoice } from './policy.js'
import type { Fields } from './prompts.js'
import type { ImageRecord } from './record.js'
import { dropResults, type ImageKey, keyOf, mendResults, readResults, sortResults } from './results.js'
import type { Stopping } from './stopping.js'
import { secondsLeft } from './time-left.js'
import { recorded } from './trajectory-record.js'

/** What tells a row from the others; results that were read from a folder know no more of their policy. */
export interface RowKey {
  readonly choice: Pick<PolicyChoice, 'spec'>
  readonly policy: Pick<DecodingPolicy, 'name' | 'exact'>
  readonly guidance: number
}

/** One row of a run: a policy at a guidance scale. */
export interface Contender extends RowKey {
  readonly choice: PolicyChoice
  readonly policy: DecodingPolicy
}

/** An image that is made of every row. */
export interface StudyImage {
  readonly prompt: string
  readonly tokenized: TokenizedPrompt
  readonly seed: number
  /** The image's number among those of its prompt under its seed. */
  readonly index: number
  /** What else the prompts' file says of its prompt. */
  readonly fields?: Fields | undefined
}

export interface Study {
  readonly folder: string
  /** The `id` of the run in the folder's manifest. */
  readonly run: number
  readonly contenders: readonly Contender[]
  readonly images: readonly StudyImage[]
  readonly sampling: Sampling
  /** Whether the scenes' judge looks at the pictures. */
  readonly judged: boolean
  readonly metrics: readonly MetricChoice[]
  /** Of how many images, the first ones, each row's trajectories are kept. */
  readonly trajectories: number
  /** The picture's file, in the folder; null where pictures are not kept. */
  readonly fileOf: (contender: Contender, image: ImageRequest) => string | null
  /** Of all that decides a row's images of a prompt but their seeds and indices: see `shortHash`. */
  readonly hashOf: (contender: Contender, prompt: string) => string
  /** What a picture's file says of what it was made with, besides its own settings. */
  readonly provenance: object
}

export interface StudyHooks {
  readonly stopping: Stopping
  /** @param secondsLeft of the whole run; null while that is hardly known. */
  readonly onStep: (contender: Contender, state: RunState, secondsLeft: number | null) => void
  readonly onImage?: (record: ImageRecord) => void
  /** Told first which of the study's images are there already. */
  readonly onFound?: (records: readonly ImageRecord[]) => void
}

/** An image that could not be made. */
export interface FailedImage {
  readonly request: ImageRequest
  readonly error: unknown
}

/** What came of a run. */
export interface StudyResult {
  /** In the study's order; those of failed images are missing. */
  readonly records: readonly ImageRecord[]
  readonly failed: readonly FailedImage[]
}

/** Names a row's files. */
export const rowId = ({ choice, guidance }: RowKey): string => `${specSlug(choice.spec)}-g${guidance}`

/** @throws ExperimentError `bad-option` where two rows' files would have one name. */
export function checkRows(contenders: readonly RowKey[]): void {
  const names = new Map<string, string>()
  for (const contender of contenders) {
    const id = rowId(contender)
    const { spec } = contender.choice
    const other = names.get(id)
    names.set(id, spec)
    if (other === undefined) continue
    throw new ExperimentError(
      'bad-option',
      other === spec
        ? `${spec} at guidance ${contender.guidance} is asked for twice.`
        : `${other} and ${spec} would both keep their files under the name ${id}.`,
      other === spec ? 'Ask for it once.' : 'Give one of the policy files another name.',
    )
  }
}

/**
 * Makes what `folder` holds no results of yet, or no pictures of any more, and gives the records of all of the study's
 * images, in its order. An image that fails is told of; the others go on.
 * @throws the first image's error, where all failed; what `decodeImages` and the metrics throw; ExperimentError where the results that are there cannot be read.
 */
export async function runStudy(
  session: Session,
  study: Study,
  { stopping, onStep, onImage, onFound }: StudyHooks,
): Promise<StudyResult> {
  const { folder, run, contenders } = study
  const plans = contenders.map((contender) => ({ contender, requests: requestsOf(study, contender) }))
  mendResults(folder)
  const found = await findRecords(study, plans)
  onFound?.([...found.values()])
  const missing = plans.map(({ contender, requests }) => ({
    contender,
    requests: requests.filter((request) => !found.has(keyOf({ run, ...request }))),
  }))
  const metrics = study.metrics.map((metric) => metric.open(stopping.now))
  const records = [...found.values()]
  const failed: FailedImage[] = []
  try {
    for (const [row, { contender, requests }] of missing.entries()) {
      const ahead = missing.slice(row + 1).map(({ contender, requests }) => ({
        images: requests.length,
        known: recordsOf(contender, records),
      }))
      let last = performance.now()
      await decodeImages(session, requests, {
        signal: stopping.now,
        stopping,
        onStep: (state) => onStep(contender, state, secondsLeft(state, ahead)),
        onFailed: (request, error) => failed.push({ request, error }),
        async onImage(image) {
          const now = performance.now()
          const wall = (now - last) / 1000
          last = now
          const record = await keepImage(session, study, contender, metrics, image, wall)
          records.push(record)
          onImage?.(record)
        },
      })
    }
  } finally {
    await Promise.allSettled(metrics.map((metric) => metric.close()))
  }
  const all = plans.flatMap(({ requests }) => requests.map((request) => ({ run, ...request })))
  const wanted = new Set(all.map(keyOf))
  const sorted = await sortResults(folder, all)
  if (records.length === 0 && failed.length > 0) throw failed[0].error
  return { records: sorted.filter((record) => wanted.has(keyOf(record))), failed }
}

interface RowPlan {
  readonly contender: Contender
  readonly requests: readonly ImageRequest[]
}

/**
 * The records of the planned images that are there, by their keys. Of one whose picture somebody took away, where
 * pictures are wanted, the line is taken out.
 */
async function findRecords(
  { folder, run, fileOf }: Study,
  plans: readonly RowPlan[],
): Promise<Map<string, ImageRecord>> {
  const before = new Map(readResults(folder).map((record) => [keyOf(record), record]))
  const found = new Map<string, ImageRecord>()
  const gone = new Set<string>()
  for (const { contender, requests } of plans) {
    for (const request of requests) {
      const key = keyOf({ run, ...request })
      const record = before.get(key)
      if (record === undefined) continue
      const { file } = record
      const isGone = file !== null && fileOf(contender, request) !== null && !existsSync(join(folder, file))
      if (isGone) gone.add(key)
      else found.set(key, record)
    }
  }
  if (gone.size > 0) await dropResults(folder, gone)
  return found
}

/** The records of one row. */
export const recordsOf = <T extends Pick<ImageKey, 'spec' | 'guidance'>>(
  { choice, guidance }: RowKey,
  records: readonly T[],
): readonly T[] => records.filter((record) => record.spec === choice.spec && record.guidance === guidance)

function requestsOf({ images, sampling, trajectories }: Study, contender: Contender): ImageRequest[] {
  const { choice, policy, guidance } = contender
  const { spec, overrides: parameters } = choice
  return images.map((image, i) => {
    const request = { ...image, spec, policy, parameters, sampling, guidance }
    return i < trajectories ? recorded(request) : request
  })
}
