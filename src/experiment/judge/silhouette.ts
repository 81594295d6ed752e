import { type Shape, shapes } from './caption.js'
import { type Mask, areaOf, maskOf } from './mask.js'
import { SIZE } from './palette.js'

/** A shape laid over a region: centre and radius in pixels, and how well it covers the region. */
export interface Silhouette {
  readonly shape: Shape
  readonly x: number
  readonly y: number
  readonly radius: number
  /** Intersection over union of the shape and the region, 0 … 1. */
  readonly overlap: number
}

/** Signed distance from a shape's outline, negative inside, at (dx, dy) from its centre; all shapes stand upright. */
const outlines: Readonly<Record<Shape, (dx: number, dy: number, radius: number) => number>> = {
  circle: (dx, dy, r) => Math.hypot(dx, dy) - r,
  square: (dx, dy, r) => Math.max(Math.abs(dx), Math.abs(dy)) - 0.87 * r,
  triangle: (dx, dy, r) => Math.max(dy - 0.75 * r, 0.894 * Math.abs(dx) - 0.447 * (dy + r)),
  ring: (dx, dy, r) => Math.abs(Math.hypot(dx, dy) - 0.76 * r) - 0.24 * r,
  cross: (dx, dy, r) => {
    const [short, long] = Math.abs(dx) < Math.abs(dy) ? [Math.abs(dx), Math.abs(dy)] : [Math.abs(dy), Math.abs(dx)]
    return Math.max(long - r, short - 0.34 * r)
  },
}

/** A shape's area where its radius is 1. */
const unitAreas: Readonly<Record<Shape, number>> = {
  circle: Math.PI,
  square: 3.03,
  triangle: 1.53,
  ring: 2.29,
  cross: 2.26,
}

/** The pixels inside a silhouette, farther than `inset` from its outline. */
export function pixelsOf({ shape, x, y, radius }: Silhouette, inset = 0): Mask {
  const outline = outlines[shape]
  return maskOf((p) => outline((p % SIZE) + 0.5 - x, Math.floor(p / SIZE) + 0.5 - y, radius) < -inset)
}

/**
 * Lays each of the five shapes over a region as well as it can, and gives back all, the best first.
 * Pixels in `ignored` count neither for nor against.
 */
export function fitSilhouettes(region: Mask, ignored: Mask): Silhouette[] {
  return shapes.map((shape) => fitShape(shape, region, ignored)).sort((a, b) => b.overlap - a.overlap)
}

/** Starts from the region's centre and area and climbs in position and radius, in ever smaller steps. */
function fitShape(shape: Shape, region: Mask, ignored: Mask): Silhouette {
  const { x, y, height } = middleOf(region)
  const radius = Math.max(Math.sqrt(areaOf(region) / unitAreas[shape]), height / 2)
  const laid = (at: Omit<Silhouette, 'overlap'>): Silhouette => ({ ...at, overlap: overlapOf(at, region, ignored) })
  let best = laid({ shape, x, y, radius })
  for (let step = 4; step >= 0.25; step /= 2) {
    for (let previous = -1; best.overlap > previous; ) {
      previous = best.overlap
      for (const [dx, dy, dr] of moves) {
        const next = laid({ shape, x: best.x + dx * step, y: best.y + dy * step, radius: best.radius + dr * step })
        if (next.overlap > best.overlap) best = next
      }
    }
  }
  return best
}

const moves = [
  [1, 0, 0],
  [-1, 0, 0],
  [0, 1, 0],
  [0, -1, 0],
  [0, 0, 1],
  [0, 0, -1],
] as const

function middleOf(region: Mask): { x: number; y: number; height: number } {
  let [left, right, top, bottom] = [SIZE, 0, SIZE, 0]
  region.forEach((inside, pixel) => {
    if (!inside) return
    const x = pixel % SIZE
    const y = Math.floor(pixel / SIZE)
    left = Math.min(left, x)
    right = Math.max(right, x + 1)
    top = Math.min(top, y)
    bottom = Math.max(bottom, y + 1)
  })
  return { x: (left + right) / 2, y: (top + bottom) / 2, height: bottom - top }
}

/** Intersection over union; a shape's pixels at its outline count by the part that is covered. */
function overlapOf(at: Omit<Silhouette, 'overlap'>, region: Mask, ignored: Mask): number {
  const outline = outlines[at.shape]
  let both = 0
  let either = 0
  for (let pixel = 0, y = 0.5 - at.y; y < SIZE - at.y; y++) {
    for (let x = 0.5 - at.x; x < SIZE - at.x; x++, pixel++) {
      if (ignored[pixel]) continue
      const cover = Math.min(1, Math.max(0, 0.5 - outline(x, y, at.radius)))
      const inside = region[pixel]!
      both += cover * inside
      either += cover > inside ? cover : inside
    }
  }
  return either > 0 ? both / either : 0
}
