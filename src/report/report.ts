/** `report.html` of a finished run. */

import { ExperimentError, randomStream, writeWhole } from '../experiment/index.js'
import { bundleScript, readStyle } from './bundle.js'
import { reportHtml } from './html.js'
import type { Run } from './run.js'
import { settingsOf } from './settings.js'
import { type Decoder, showTrajectories } from './trajectories.js'

export { type Run, readRun } from './run.js'
export type { Decoder } from './trajectories.js'

export interface ReportHooks {
  /** Told how many of the trajectories' pictures are made, of how many. */
  readonly onPicture: (done: number, all: number) => void
}

/**
 * Writes the report, whole or not at all.
 * @param decoder what made the run's pictures; null where the run kept no trajectories.
 * @throws ExperimentError `bad-option` where the decoder is another checkpoint's, `bad-output` where the file cannot be
 *   written; what the decoder throws.
 */
export async function writeReport(
  file: string,
  run: Run,
  decoder: Decoder | null,
  { onPicture }: ReportHooks,
): Promise<void> {
  if (decoder) checkDecoder(decoder, run)
  // the stream that `sjd2 compare` takes for its table: the same intervals
  const random = randomStream(run.results[0].seed, 'bootstrap')
  const settings = settingsOf(run, random)
  const viewer = decoder && (await showTrajectories(run, decoder, onPicture))
  const page = { settings: settings.map(({ setting }) => setting), viewer }
  const [bundle, style] = await Promise.all([bundleScript(), readStyle()])
  await writeWhole(file, reportHtml({ run, settings, page, bundle, style }))
}

/** Another checkpoint would decode the tokens to something else. */
function checkDecoder({ card }: Decoder, { manifest }: Run): void {
  const { model } = manifest.runs[0].environment
  if (card.hash === model.hash) return
  throw new ExperimentError(
    'bad-option',
    `The run was made by the checkpoint ${model.name} (${model.hash.slice(0, 10)}), not by ${card.name} (${card.hash.slice(0, 10)}).`,
    'Name the checkpoint that made it with --model.',
  )
}
