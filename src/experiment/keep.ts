import { mkdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Session } from '../engine/index.js'
import type { FinishedImage } from './images.js'
import type { OpenMetric } from './metrics/choice.js'
import { judgeScene } from './metrics/scenes.js'
import { writeWhole } from './output.js'
import { PARAMETERS_FORMAT } from './parameters.js'
import { encodePicture } from './picture.js'
import { costOf, type ImageRecord, resultOf, settingsOf } from './record.js'
import { appendResult } from './results.js'
import type { Contender, Study } from './rows.js'
import { hashOfSource } from './source.js'
import { isRecorded, writeTrajectory } from './trajectory-record.js'

/**
 * Measures an image and writes down all that there is of it; last the line in the results, which says that it is done.
 * @param wall seconds, its share of the row's.
 * @throws ExperimentError where a metric fails or the disk is full.
 */
export async function keepImage(
  session: Session,
  { folder, run, fileOf, hashOf, provenance, judged }: Study,
  contender: Contender,
  metrics: readonly OpenMetric[],
  image: FinishedImage,
  wall: number,
): Promise<ImageRecord> {
  const { request, picture, tokens } = image
  const settings = settingsOf(request)
  const file = fileOf(contender, request)
  const path = file === null ? null : resolve(folder, file)
  if (path !== null) {
    await mkdir(dirname(path), { recursive: true })
    const { file: policyFile, source } = contender.choice
    const format = PARAMETERS_FORMAT
    const parameters = { format, ...settings, policyFile, policyHash: hashOfSource(source), ...provenance }
    await writeWhole(path, encodePicture(picture, parameters))
  }
  if (isRecorded(request))
    await writeTrajectory(folder, hashOf(contender, request.prompt), request, tokens, session.card.grid)
  const measured = await measure(metrics, image, path)
  const { peakBytes } = await session.stats()
  const record: ImageRecord = {
    run,
    ...settings,
    ...(request.fields && { fields: request.fields }),
    file,
    ...resultOf(image),
    ...(judged ? judgeScene(picture, request.prompt) : { facts: null, right: null }),
    metrics: measured,
    wall,
    ...costOf(image),
    workerBytes: peakBytes,
    orchestratorBytes: process.resourceUsage().maxRSS * 1024,
  }
  await appendResult(folder, record)
  return record
}

async function measure(
  metrics: readonly OpenMetric[],
  { request, picture, tokens }: FinishedImage,
  file: string | null,
): Promise<Record<string, number>> {
  const { prompt, spec, guidance, seed, index, fields } = request
  const measured = { ...picture, prompt, spec, guidance, seed, index, fields: fields ?? {}, tokens, file }
  const values = await Promise.all(metrics.map((metric) => metric.measure(measured)))
  return Object.assign({}, ...values)
}
