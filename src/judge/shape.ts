import type { Shape } from './caption.js'
import { bestFit, type Fit } from './fit.js'
import { areaOf, components, type Mask, maskOf, open } from './mask.js'
import { outlines, silhouette } from './silhouette.js'

/** How far an outline may stray from a shape's on average, in radii, and the shape still be called by its name. */
const STRAY = 0.07
/** The largest piece that may be missing or too much, as a share of the region. */
const FLAW = 0.065

/**
 * The shape of a region, null where it is none of the five, and its centre in pixels.
 * Pixels in `ignored` count neither for nor against.
 */
export function observeShape(region: Mask, ignored: Mask): { shape: Shape | null; x: number; y: number } {
  const fit = bestFit(region, ignored)
  const named = stray(fit) < STRAY && flaw(fit, region, ignored) < FLAW
  return { shape: named ? fit.shape : null, x: fit.x, y: fit.y }
}

function stray({ shape, overlap }: Fit): number {
  const { area, length } = outlines[shape]
  return ((1 - overlap) * area) / length
}

/** The largest piece by which shape and region differ, at least 5 px thick, as a share of the region. */
function flaw(fit: Fit, region: Mask, ignored: Mask): number {
  const shape = silhouette(fit.shape, fit)
  const different = maskOf((p) => !ignored[p] && shape[p] !== region[p])
  return Math.max(0, ...components(open(different, 2)).map(areaOf)) / areaOf(region)
}
