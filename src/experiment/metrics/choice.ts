import type { Source } from '../source.js'
import type { MeasuredPicture } from './metric.js'

/** A metric that a study names, found before anything is started. */
export interface MetricChoice {
  readonly name: string
  readonly source: Source
  /** Whether it reads the pictures' files. */
  readonly needsFile: boolean
  open(signal: AbortSignal): OpenMetric
}

export interface OpenMetric {
  /** @throws ExperimentError `bad-metric` */
  readonly measure: (picture: MeasuredPicture) => Promise<Readonly<Record<string, number>>>
  /** Ends what the metric holds. */
  close(): Promise<void>
}
