/** A run: every row's images, made and measured; each one's record is kept as soon as it is there. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Session } from '../engine/index.js'
import { decodeImages, type ImageRequest, type RunState } from './images.js'
import { keepImage } from './keep.js'
import type { ImageRecord } from './record.js'
import { dropResults, keyOf, mendResults, readResults, sortResults } from './results.js'
import { type Contender, recordsOf, type Study } from './rows.js'
import type { Stopping } from './stopping.js'
import { secondsLeft } from './time-left.js'
import { recorded } from './trajectory-record.js'

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

function requestsOf({ images, sampling, trajectories }: Study, contender: Contender): ImageRequest[] {
  const { choice, policy, guidance } = contender
  const { spec, overrides: parameters } = choice
  return images.map((image, i) => {
    const request = { ...image, spec, policy, parameters, sampling, guidance }
    return i < trajectories ? recorded(request) : request
  })
}
