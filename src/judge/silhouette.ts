import type { Shape } from './caption.js'
import { type Mask, maskOf } from './mask.js'
import { SIZE } from './palette.js'

/** Where a shape lies, upright, in pixels: its centre, and its radius along x and along y. */
export interface Placement {
  readonly x: number
  readonly y: number
  readonly across: number
  readonly down: number
}

/** A shape of radius 1: its area, the length of its outline, and the signed distance from that, negative inside. */
interface Outline {
  readonly area: number
  readonly length: number
  readonly distance: (x: number, y: number) => number
}

export const outlines: Readonly<Record<Shape, Outline>> = {
  circle: { area: 3.14, length: 6.28, distance: (x, y) => Math.sqrt(x * x + y * y) - 1 },
  square: { area: 3.03, length: 6.96, distance: (x, y) => Math.max(Math.abs(x), Math.abs(y)) - 0.87 },
  triangle: {
    area: 1.53,
    length: 5.66,
    distance: (x, y) => Math.max(y - 0.75, 0.894 * Math.abs(x) - 0.447 * (y + 1)),
  },
  ring: { area: 2.29, length: 9.55, distance: (x, y) => Math.abs(Math.sqrt(x * x + y * y) - 0.76) - 0.24 },
  cross: {
    area: 2.26,
    length: 8,
    distance: (x, y) => {
      const [a, b] = [Math.abs(x), Math.abs(y)]
      return Math.max(Math.max(a, b) - 1, Math.min(a, b) - 0.34)
    },
  },
}

/** Pixel columns `left … right - 1` and rows `top … bottom - 1`. */
export interface Box {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

/** How much a shape covers of the pixel at a column and row, 0 … 1: as scenes are drawn, soft over one pixel. */
function coverage(shape: Shape, at: Placement, column: number, row: number): number {
  const x = (column + 0.5 - at.x) / at.across
  const y = (row + 0.5 - at.y) / at.down
  const outside = outlines[shape].distance(x, y) * Math.min(at.across, at.down)
  return Math.min(1, Math.max(0, 0.5 - outside))
}

/** The pixels that a shape covers by more than half. */
export function silhouette(shape: Shape, at: Placement): Mask {
  return maskOf((pixel) => coverage(shape, at, pixel % SIZE, Math.floor(pixel / SIZE)) > 0.5)
}

/** Intersection over union of a shape and a region that lies in a box, where each pixel counts by its weight: 0 … 1. */
export function overlap(shape: Shape, at: Placement, region: Mask, weights: Uint8Array, box: Box): number {
  const left = Math.max(0, Math.min(box.left, Math.floor(at.x - at.across)))
  const right = Math.min(SIZE, Math.max(box.right, at.x + at.across))
  const top = Math.max(0, Math.min(box.top, Math.floor(at.y - at.down)))
  const bottom = Math.min(SIZE, Math.max(box.bottom, at.y + at.down))
  let both = 0
  let either = 0
  for (let row = top; row < bottom; row++) {
    for (let column = left, pixel = row * SIZE + left; column < right; column++, pixel++) {
      const cover = coverage(shape, at, column, row)
      both += weights[pixel] * cover * region[pixel]
      either += weights[pixel] * Math.max(cover, region[pixel])
    }
  }
  return either > 0 ? both / either : 0
}
