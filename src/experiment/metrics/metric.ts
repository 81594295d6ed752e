/** The seam for measures of one's own. */
import type { Picture } from '../../engine/index.js'
import type { Source } from '../source.js'

/** A picture, with what it was made of. */
export interface MeasuredPicture extends Picture {
  readonly prompt: string
  /** The policy as it was asked for. */
  readonly spec: string
  readonly guidance: number
  readonly seed: number
  readonly index: number
  /** [length] ids over the whole layout. */
  readonly tokens: Int32Array
  /** The PNG file's path; null where pictures are not kept. */
  readonly file: string | null
}

/** A finite number, or several by name. */
export type Measurement = number | Readonly<Record<string, number>>

/** A measure of pictures, called for each as it comes: what a metric file exports by default. */
export type Metric = (picture: MeasuredPicture) => Measurement | Promise<Measurement>

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
