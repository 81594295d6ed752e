import { mean } from '../common/statistics.js'
import type { RunState } from './images.js'

/** A row that is still to come: how many images it lacks, and what is known of those that it has. */
export interface RowAhead {
  readonly images: number
  readonly known: readonly { readonly wall: number }[]
}

/**
 * Of the running row at its own pace, and of the rows ahead at theirs where a part of them is done already, else at the
 * running one's. Null while that is hardly known.
 */
export function secondsLeft(
  { tokens, length, images, seconds }: RunState,
  ahead: readonly RowAhead[],
): number | null {
  const done = (tokens / length) * images
  if (done < 0.1) return null
  const pace = seconds / done
  const later = ahead.map(
    ({ images, known }) => images * (known.length > 0 ? mean(known.map(({ wall }) => wall)) : pace),
  )
  return pace * (images - done) + later.reduce((sum, time) => sum + time, 0)
}
