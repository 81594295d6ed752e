import { type Shape, shapes } from './caption.js'
import { areaOf, dilate, erode, type Mask } from './mask.js'
import { PIXELS, SIZE } from './palette.js'
import { type Box, outlines, overlap, type Placement } from './silhouette.js'

/** A shape laid over a region as well as it can be. */
export interface Fit extends Placement {
  readonly shape: Shape
  /** Intersection over union of the shape and the region, 0 … 1. */
  readonly overlap: number
}

/** A shape may be stretched along one axis by this factor and still be called by its name. */
const STRETCH = 1.3
/** Pixels within this distance of the region's outline count less: the outline may be a little deformed. */
const OUTLINE = 2

/** The shape that overlaps most with a region. Pixels in `ignored` count neither for nor against. */
export function bestFit(region: Mask, ignored: Mask): Fit {
  const weights = weightsOf(region, ignored)
  const fits = shapes.map((shape) => climb(shape, region, weights))
  return fits.reduce((a, b) => (b.overlap > a.overlap ? b : a))
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

/** Starts from the region's box and area and climbs in position and radii, in ever smaller steps. */
function climb(shape: Shape, region: Mask, weights: Uint8Array): Fit {
  const box = boxOf(region)
  const laid = (at: Placement): Fit => ({ ...at, shape, overlap: overlap(shape, at, region, weights, box) })
  const radius = Math.sqrt(areaOf(region) / outlines[shape].area)
  let best = laid({
    x: (box.left + box.right) / 2,
    y: (box.top + box.bottom) / 2,
    across: radius,
    down: radius,
  })
  for (let step = 2; step >= 0.25; step /= 2) {
    for (let before = -1; best.overlap > before; ) {
      before = best.overlap
      for (const [x, y, across, down] of moves) {
        const at = {
          x: best.x + x * step,
          y: best.y + y * step,
          across: best.across + across * step,
          down: best.down + down * step,
        }
        if (!isUsual(at)) continue
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

const isUsual = ({ across, down }: Placement): boolean =>
  Math.min(across, down) > 0 && Math.max(across / down, down / across) <= STRETCH

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
