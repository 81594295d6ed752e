import { type Shape, shapes } from './caption.js'
import { areaOf, dilate, erode, type Mask } from './mask.js'
import { PIXELS, SIZE } from './palette.js'

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
  circle: (dx, dy, r) => Math.sqrt(dx * dx + dy * dy) - r,
  square: (dx, dy, r) => Math.max(Math.abs(dx), Math.abs(dy)) - 0.87 * r,
  triangle: (dx, dy, r) => Math.max(dy - 0.75 * r, 0.894 * Math.abs(dx) - 0.447 * (dy + r)),
  ring: (dx, dy, r) => Math.abs(Math.sqrt(dx * dx + dy * dy) - 0.76 * r) - 0.24 * r,
  cross: (dx, dy, r) => {
    const [short, long] =
      Math.abs(dx) < Math.abs(dy) ? [Math.abs(dx), Math.abs(dy)] : [Math.abs(dy), Math.abs(dx)]
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

/**
 * Lays each of the five shapes over a region as well as it can, and gives back all, the best first.
 * Pixels in `ignored` count neither for nor against.
 */
export function fitSilhouettes(region: Mask, ignored: Mask): Silhouette[] {
  const weights = weightsOf(region, ignored)
  return shapes.map((shape) => fitShape(shape, region, weights)).sort((a, b) => b.overlap - a.overlap)
}

/** What each pixel counts: the more, the farther it is from the region's outline, which may be a little deformed. */
function weightsOf(region: Mask, ignored: Mask): Uint8Array {
  const weights = new Uint8Array(PIXELS).fill(1)
  for (let depth = 1; depth <= DEPTH; depth++) {
    const inner = erode(region, depth)
    const outer = dilate(region, depth)
    for (let pixel = 0; pixel < PIXELS; pixel++) weights[pixel] += inner[pixel] + 1 - outer[pixel]
  }
  return weights.map((weight, pixel) => (ignored[pixel] ? 0 : weight))
}

/** Pixels farther than this from the outline count all the same. */
const DEPTH = 3

/** Starts from the region's middle and size and climbs in position and radius, in ever smaller steps. */
function fitShape(shape: Shape, region: Mask, weights: Uint8Array): Silhouette {
  const box = boxOf(region)
  const radius = Math.max(Math.sqrt(areaOf(region) / unitAreas[shape]), (box.bottom - box.top) / 2)
  const laid = (x: number, y: number, r: number): Silhouette => {
    const overlap = overlapOf({ shape, x, y, radius: r }, region, weights, box)
    return { shape, x, y, radius: r, overlap }
  }
  let best = laid((box.left + box.right) / 2, (box.top + box.bottom) / 2, radius)
  for (let step = 4; step >= 0.25; step /= 2) {
    for (let previous = -1; best.overlap > previous; ) {
      previous = best.overlap
      for (const [dx, dy, dr] of moves) {
        const next = laid(best.x + dx * step, best.y + dy * step, best.radius + dr * step)
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

/** Pixel columns `left … right - 1` and rows `top … bottom - 1`. */
interface Box {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

function boxOf(region: Mask): Box {
  const inside = [...region.keys()].filter((pixel) => region[pixel])
  const columns = inside.map((pixel) => pixel % SIZE)
  const rows = inside.map((pixel) => Math.floor(pixel / SIZE))
  return {
    left: Math.min(...columns),
    right: Math.max(...columns) + 1,
    top: Math.min(...rows),
    bottom: Math.max(...rows) + 1,
  }
}

/** Intersection over union; a shape's pixels at its outline count by the part that is covered. */
function overlapOf(at: Omit<Silhouette, 'overlap'>, region: Mask, weights: Uint8Array, box: Box): number {
  const outline = outlines[at.shape]
  const reach = at.radius + 1
  const right = Math.min(SIZE, Math.max(box.right, at.x + reach))
  const bottom = Math.min(SIZE, Math.max(box.bottom, at.y + reach))
  const left = Math.max(0, Math.floor(Math.min(box.left, at.x - reach)))
  let both = 0
  let either = 0
  for (let y = Math.max(0, Math.floor(Math.min(box.top, at.y - reach))); y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const pixel = y * SIZE + x
      const cover = Math.min(1, Math.max(0, 0.5 - outline(x + 0.5 - at.x, y + 0.5 - at.y, at.radius)))
      const inside = region[pixel]
      both += weights[pixel] * cover * inside
      either += weights[pixel] * (cover > inside ? cover : inside)
    }
  }
  return either > 0 ? both / either : 0
}
