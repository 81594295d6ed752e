/** The seam for measures of one's own. */

import type { Fields } from '../prompts.js'

/** A picture, with what it was made of. */
export interface MeasuredPicture {
  readonly width: number
  readonly height: number
  /** [height, width, 3] 8-bit red, green, blue, row by row from the top. */
  readonly rgb: Uint8Array
  readonly prompt: string
  /** The policy as it was asked for. */
  readonly spec: string
  readonly guidance: number
  readonly seed: number
  readonly index: number
  /** What else the prompts' file says of the prompt: its category, say. Empty where nothing. */
  readonly fields: Fields
  /** [length] ids over the whole layout. */
  readonly tokens: Int32Array
  /** The PNG file's path; null where pictures are not kept. */
  readonly file: string | null
}

/** A finite number, or several by name. */
export type Measurement = number | Readonly<Record<string, number>>

/** A measure of pictures, called for each as it comes: what a metric file exports by default. */
export type Metric = (picture: MeasuredPicture) => Measurement | Promise<Measurement>
