/** Small pictures of unfinished images. */
import { encode } from 'fast-png'
import type { Picture } from '../engine/index.js'
import type { Frame, Grid } from './page.js'

/** Larger pictures are made smaller by a whole factor. */
const LARGEST = 192

/** [height, width, 4] red, green, blue, opacity. */
export interface Thumbnail {
  readonly width: number
  readonly height: number
  readonly rgba: Uint8Array
}

/**
 * A picture that is transparent where a cell of the grid holds nothing.
 * @param held [rows * columns]
 */
export function thumbnail(picture: Picture, held: readonly boolean[], grid: Grid): Thumbnail {
  const factor = Math.ceil(Math.max(picture.width, picture.height) / LARGEST)
  const width = Math.floor(picture.width / factor)
  const height = Math.floor(picture.height / factor)
  const rgba = new Uint8Array(width * height * 4)
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * grid.rows) / height)
    for (let x = 0; x < width; x++) {
      const column = Math.floor((x * grid.columns) / width)
      if (!held[row * grid.columns + column]) continue
      const pixel = (y * width + x) * 4
      rgba.set(meanColour(picture, x * factor, y * factor, factor), pixel)
      rgba[pixel + 3] = 255
    }
  }
  return { width, height, rgba }
}

/** Of a square of so many pixels a side. */
function meanColour({ rgb, width }: Picture, left: number, top: number, side: number): number[] {
  const sums = [0, 0, 0]
  for (let y = top; y < top + side; y++) {
    for (let x = left; x < left + side; x++) {
      for (let c = 0; c < 3; c++) sums[c] += rgb[(y * width + x) * 3 + c]
    }
  }
  return sums.map((sum) => Math.round(sum / side ** 2))
}

/**
 * The strip of an unfinished picture between what is as in the finished one and what is not there yet: a small part of
 * it in most passes. It begins a row earlier than it must, so that no gap can show where it is laid over the other.
 */
export function difference(unfinished: Thumbnail, finished: Thumbnail): Omit<Frame, 'pass'> {
  const { width, height } = finished
  const rowOf = ({ rgba }: Thumbnail, y: number) => rgba.subarray(y * width * 4, (y + 1) * width * 4)
  const rows = [...Array(height).keys()]
  const firstOther = rows.find((y) => Buffer.compare(rowOf(unfinished, y), rowOf(finished, y)) !== 0)
  if (firstOther === undefined) return { top: height, rows: 0, strip: null }
  const top = Math.max(0, firstOther - 1)
  const end = 1 + (rows.findLast((y) => rowOf(unfinished, y).some((value) => value > 0)) ?? -1)
  if (end <= top) return { top, rows: 0, strip: null }
  const rgba = unfinished.rgba.subarray(top * width * 4, end * width * 4)
  return { top, rows: end - top, strip: pngUrl({ width, height: end - top, rgba }) }
}

export function pngUrl({ width, height, rgba }: Thumbnail): string {
  const bytes = encode({ width, height, data: rgba, channels: 4, depth: 8 })
  return `data:image/png;base64,${Buffer.from(bytes).toString('base64')}`
}
