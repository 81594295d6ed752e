import { basename, isAbsolute, join } from 'node:path'
import { type Expected, loadModule } from '../../user-modules/index.js'
import { ExperimentError } from '../error.js'
import { ofFiles } from '../source.js'
import type { MetricChoice } from './choice.js'
import { badMetric, pictureOf, readMeasurement } from './measurement.js'
import type { Metric } from './metric.js'

const expected: Expected = {
  noun: 'metric',
  types: ['Metric'],
  refuse: (message, remedy) => new ExperimentError('bad-metric', message, remedy),
}

/**
 * A metric of the user's own: a TypeScript file whose default export is a `Metric` (see `loadModule`).
 * @param folder that the path counts from.
 * @throws ExperimentError `bad-metric` with `file:line: message`.
 */
export async function metricFile(
  path: string,
  folder: string,
  name = basename(path).replace(/\.m?ts$/, ''),
): Promise<MetricChoice> {
  const { exported, source, blame } = await loadModule(isAbsolute(path) ? path : join(folder, path), expected)
  const metric = exported as Metric
  return {
    name,
    source: ofFiles(source),
    needsFile: false,
    open: () => ({
      async measure(picture) {
        const value = await Promise.resolve(picture)
          .then(metric)
          .catch((error: unknown) => {
            const place = blame(error)
            const where = place === null ? '' : `, at ${place}`
            throw badMetric(name, `failed for ${pictureOf(picture)}${where}: ${String(error)}`, error)
          })
        return readMeasurement(name, value)
      },
      close: async () => undefined,
    }),
  }
}
