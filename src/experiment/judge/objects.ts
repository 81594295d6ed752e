import type { Background } from './background.js'
import type { Colour, Shape, Texture } from './caption.js'
import { type Mask, areaOf, components, dilate, erode, maskOf } from './mask.js'
import { type ColourMap, PIXELS, isClear, isNear } from './palette.js'
import { fitSilhouettes, pixelsOf } from './silhouette.js'
import { observeTexture } from './texture.js'

/** An object as the picture shows it; null is what a good observer could not name. */
export interface SeenObject {
  readonly colour: Colour
  readonly shape: Shape | null
  readonly texture: Texture | null
  /** The centre, in pixels. */
  readonly x: number
  readonly y: number
  /** Its pixels, their number. */
  readonly area: number
}

/** Regions below this many pixels are specks, not objects: the smallest object of a scene has about 350. */
const SPECK = 120
/** Two distances from colours that differ by less than this say nothing about which of them a pixel has. */
const DOUBT = 8
/** The share of a surface's pixels that no other colour could explain. */
const CLEAR = 0.2
/** What the best silhouette must share with a region. */
const OVERLAP = 0.6

/** Finds the objects in front of a background, without knowing what should be there. */
export function observeObjects(maps: readonly ColourMap[], background: Background): SeenObject[] {
  const others = maps.filter((map) => map.colour !== background.colour)
  const present = presentColours(others, background)
  return present.flatMap((map) => {
    const surface = surfaceOf(map, present, background)
    // Pieces at most 4 px apart are one object.
    return components(dilate(surface, 2))
      .map((part) => maskOf((p) => part[p] === 1 && surface[p] === 1))
      .filter((region) => areaOf(region) >= SPECK)
      .map((region) => observeObject(map, region, background))
  })
}

/**
 * The colours of surfaces in front of the background, the largest first. What the blend of two colours at an edge
 * looks like is a line, and vanishes where it is eroded; what a larger surface explains is taken away first.
 */
function presentColours(maps: readonly ColourMap[], background: Background): ColourMap[] {
  const free = new Uint8Array(PIXELS).fill(1)
  const surfaces = maps.map((map) => ({ map, surface: surfaceOf(map, maps, background) }))
  const found: ColourMap[] = []
  for (;;) {
    const { map, surface, area } = surfaces
      .map(({ map, surface }) => {
        const left = maskOf((p) => free[p] === 1 && surface[p] === 1)
        return { map, surface, area: areaOf(dilate(erode(left, 1), 1)) }
      })
      .reduce((a, b) => (b.area > a.area ? b : a))
    if (area < SPECK) return found
    found.push(map)
    dilate(surface, 2).forEach((taken, pixel) => {
      if (taken) free[pixel] = 0
    })
  }
}

/**
 * Where a colour may stand in front of the background: the parts that this colour alone explains over a good share of
 * their pixels. So the grey that white and black have in common goes with the white or black around it.
 */
function surfaceOf(map: ColourMap, rivals: readonly ColourMap[], background: Background): Mask {
  const near = maskOf((p) => map.distance[p]! + DOUBT < background.distance[p]! && isNear(rivals, map, p))
  const parts = components(near).filter((part) => {
    const clear = maskOf((p) => part[p] === 1 && isClear(rivals, map, p))
    return areaOf(clear) >= CLEAR * areaOf(part)
  })
  return maskOf((p) => parts.some((part) => part[p]))
}

function observeObject(map: ColourMap, region: Mask, background: Background): SeenObject {
  const doubtful = maskOf((p) => map.distance[p]! < 2 * DOUBT && background.distance[p]! < 2 * DOUBT)
  const [best] = fitSilhouettes(region, doubtful)
  const { shape, x, y, overlap } = best!
  const inner = pixelsOf(best!, 1)
  const surface = [...inner.keys()].filter((pixel) => inner[pixel] && (region[pixel] || doubtful[pixel]))
  return {
    colour: map.colour,
    shape: overlap > OVERLAP ? shape : null,
    texture: observeTexture(surface, map.shade),
    x,
    y,
    area: areaOf(region),
  }
}
