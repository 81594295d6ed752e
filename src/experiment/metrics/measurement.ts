import { z } from 'zod'
import { ExperimentError } from '../error.js'
import type { MeasuredPicture } from './metric.js'

const measurementSchema = z.union([z.number(), z.record(z.string().min(1), z.number())])

/**
 * What a metric gave, as numbers by name: `clip`, or `clip.score` and so on where it gave several.
 * @throws ExperimentError `bad-metric` where that is anything else.
 */
export function readMeasurement(name: string, value: unknown): Record<string, number> {
  const { data } = measurementSchema.safeParse(value)
  if (data === undefined) {
    throw badMetric(
      name,
      `gave ${JSON.stringify(value) ?? String(value)}, which is no finite number and no object of such`,
    )
  }
  if (typeof data === 'number') return { [name]: data }
  return Object.fromEntries(Object.entries(data).map(([key, number]) => [`${name}.${key}`, number]))
}

export const badMetric = (name: string, reason: string, cause?: unknown): ExperimentError =>
  new ExperimentError(
    'bad-metric',
    `The metric ${name} ${reason}.`,
    'Mend the metric; the same command then goes on where it stopped.',
    { cause },
  )

/** Which picture it was, for a message. */
export const pictureOf = ({ spec, guidance, prompt, seed, index }: MeasuredPicture): string =>
  `${spec} g=${guidance} "${prompt}" seed ${seed} #${index}`
