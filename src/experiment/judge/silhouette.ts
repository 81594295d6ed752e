import { type Shape, shapes } from './caption.js'
import { areaOf, dilate, erode, type Mask } from './mask.js'
import { PIXELS, SIZE } from './palette.js'

/** Where a shape lies, in pixels: its centre, and its radius along x and along y. */
interface Placement {
  readonly x: number
  readonly y: number
  readonly across: number
  readonly down: number
}

/** A shape laid over a region, and how well it covers it. */
export interface Silhouette extends Placement {
  readonly shape: Shape
  /** Intersection over union of the shape and the region, 0 … 1. */
  readonly overlap: number
}

/** Signed distance from the outline of a shape of radius 1, negative inside, at (x, y) from its centre. */
const outlines: Readonly<Record<Shape, (x: number, y: number) => number>> = {
  circle: (x, y) => Math.sqrt(x * x + y * y) - 1,
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) - 0.87,
  triangle: (x, y) => Math.max(y - 0.75, 0.894 * Math.abs(x) - 0.447 * (y + 1)),
  ring: (x, y) => Math.abs(Math.sqrt(x * x + y * y) - 0.76) - 0.24,
  cross: (x, y) => {
    const [a, b] = [Math.abs(x), Math.abs(y)]
    return Math.max(Math.max(a, b) - 1, Math.min(a, b) - 0.34)
  },
}

/** A shape may be stretched along one axis by this factor and still be called by its name. */
const STRETCH = 1.3
/** Pixels within this distance of the region's outline count less: the outline may be a little deformed. */
const OUTLINE = 2

/**
 * Lays each of the five shapes, upright, over a region as well as it can; gives back all, the best first.
 * Pixels in `ignored` count neither for nor against.
 */
export function fitSilhouettes(region: Mask, ignored: Mask): Silhouette[] {
  const weights = weightsOf(region, ignored)
  return shapes.map((shape) => fitShape(shape, region, weights)).sort((a, b) => b.overlap - a.overlap)
}

/** What each pixel counts: 1 at the region's outline, 1 more for every pixel away from it up to `OUTLINE`. */
function weightsOf(region: Mask, ignored: Mask): Uint8Array {
  const weights = new Uint8Array(PIXELS).fill(1)
  for (let distance = 1; distance <= OUTLINE; distance++) {
    const inside = erode(region, distance)
    const near = dilate(region, distance)
    for (let pixel = 0; pixel < PIXELS; pixel++) weights[pixel] += inside[pixel] + 1 - near[pixel]
  }
  return weights.map((weight, pixel) => (ignored[pixel] ? 0 : weight))
}

/** Starts from the region's box and climbs in position and radii, in ever smaller steps. */
function fitShape(shape: Shape, region: Mask, weights: Uint8Array): Silhouette {
  const box = boxOf(region)
  const laid = (at: Placement): Silhouette => ({
    ...at,
    shape,
    overlap: overlapOf(shape, at, region, weights, box),
  })
  const radius = Math.sqrt(areaOf(region) / Math.PI)
  let best = laid({ x: (box.left + box.right) / 2, y: (box.top + box.bottom) / 2, across: radius, down: radius })
  for (let step = 4; step >= 0.25; step /= 2) {
    for (let before = -1; best.overlap > before; ) {
      before = best.overlap
      for (const [x, y, across, down] of moves) {
        const at = {
          x: best.x + x * step,
          y: best.y + y * step,
          across: best.across + across * step,
          down: best.down + down * step,
        }
        if (!isUpright(at)) continue
        const next = laid(at)
        if (next.overlap > best.overlap) best = next
      }
    }
  }
  return best
}

/** Changes of x, y, across and down that the climb tries. */
const moves = [
  [1, 0, 0, 0],
  [0, 1, 0, 0],
  [0, 0, 1, 1],
  [0, 0, 1, 0],
  [0, 0, 0, 1],
].flatMap((move) => [move, move.map((change) => -change)])

const isUpright = ({ across, down }: Placement): boolean =>
  Math.min(across, down) > 0 && Math.max(across / down, down / across) <= STRETCH

/** Pixel columns `left … right - 1` and rows `top … bottom - 1`. */
interface Box {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

function boxOf(region: Mask): Box {
  let [left, right, top, bottom] = [SIZE, 0, SIZE, 0]
  for (let pixel = 0; pixel < PIXELS; pixel++) {
    if (!region[pixel]) continue
    left = Math.min(left, pixel % SIZE)
    right = Math.max(right, (pixel % SIZE) + 1)
    top = Math.min(top, Math.floor(pixel / SIZE))
    bottom = Math.max(bottom, Math.floor(pixel / SIZE) + 1)
  }
  return { left, right, top, bottom }
}

/** Intersection over union; a shape's pixels at its outline count by the part that is covered. `box` is the region's. */
function overlapOf(shape: Shape, at: Placement, region: Mask, weights: Uint8Array, box: Box): number {
  const outline = outlines[shape]
  const radius = Math.min(at.across, at.down)
  const left = Math.max(0, Math.min(box.left, Math.floor(at.x - at.across)))
  const right = Math.min(SIZE, Math.max(box.right, at.x + at.across))
  const top = Math.max(0, Math.min(box.top, Math.floor(at.y - at.down)))
  const bottom = Math.min(SIZE, Math.max(box.bottom, at.y + at.down))
  let both = 0
  let either = 0
  for (let row = top; row < bottom; row++) {
    const y = (row + 0.5 - at.y) / at.down
    for (let column = left; column < right; column++) {
      const pixel = row * SIZE + column
      const distance = outline((column + 0.5 - at.x) / at.across, y) * radius
      const cover = Math.min(1, Math.max(0, 0.5 - distance))
      both += weights[pixel] * cover * region[pixel]
      either += weights[pixel] * Math.max(cover, region[pixel])
    }
  }
  return either > 0 ? both / either : 0
}
