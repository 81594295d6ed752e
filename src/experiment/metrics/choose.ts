import { didYouMean } from '../../common/did-you-mean.js'
import { ExperimentError } from '../error.js'
import { isFile } from '../policy.js'
import type { MetricChoice } from './choice.js'
import { metricCommand } from './command.js'
import { metricFile } from './file.js'
import { SCENES } from './scenes.js'

/** As a study says it: a file's path, or a name with a file or a command. */
export type MetricText =
  | string
  | {
      readonly name: string
      readonly file?: string | undefined
      readonly command?: readonly string[] | undefined
    }

/**
 * Finds a metric other than the scenes' judge.
 * @param folder that paths count from, and that a command is run in.
 * @throws ExperimentError `bad-metric` where there is none.
 */
export async function chooseMetric(text: MetricText, folder: string): Promise<MetricChoice> {
  const { name, file, command } =
    typeof text === 'object' ? text : { name: undefined, file: isFile(text) ? text : undefined }
  if (file !== undefined) return metricFile(file, folder, name)
  if (name !== undefined && command !== undefined) return metricCommand(name, command, folder)
  throw new ExperimentError(
    'bad-metric',
    `There is no metric "${String(text)}".`,
    `${didYouMean(String(text), [SCENES])}Choose ${SCENES}, give the path of a metric file (./mine.ts), or a name and a command.`,
  )
}
