import type { Background } from './background.js'
import type { Colour, Shape, Texture } from './caption.js'
import { areaOf, components, dilate, erode, fillHoles, type Mask, maskOf, open } from './mask.js'
import { type ColourMap, isNear, nearestDistance } from './palette.js'
import { observeShape } from './shape.js'
import { observeTexture } from './texture.js'

/** An object as the picture shows it; null is what a good observer could not name. */
export interface SeenObject {
  readonly colour: Colour
  readonly shape: Shape | null
  readonly texture: Texture | null
  /** The centre, in pixels. */
  readonly x: number
  readonly y: number
}

/** Regions below this many pixels are specks, not objects: the smallest object of a scene has about 350. */
const SPECK = 120
/** Two distances from colours that differ by less than this say nothing about which of them a pixel has. */
const DOUBT = 8
/** Holes of at most this many pixels are a texture's: a dot has about 20, the smallest ring's hole more than 200. */
const HOLE = 40
/** Width of the band along an object's outline where its colour is blended with what lies behind, in pixels. */
const BLEND = 2

/** Finds the objects in front of a background, without knowing what should be there. */
export function observeObjects(maps: readonly ColourMap[], background: Background): SeenObject[] {
  const paints = maps.filter((map) => map.colour !== background.colour)
  const nearest = nearestDistance(paints)
  const front = maskOf((p) => nearest[p] + DOUBT < background.distance[p])
  return patchesOf(front).flatMap((patch) => {
    const present = coloursOf(patch, paints, nearest)
    return present.flatMap((map) =>
      patchesOf(regionOf(map, present, nearest, patch)).map((region) =>
        observeObject(map, region, background),
      ),
    )
  })
}

/** Where a patch has a colour: there it is the nearest of the patch's, and the specks of other colours are left out. */
function regionOf(map: ColourMap, present: readonly ColourMap[], nearest: Float32Array, patch: Mask): Mask {
  const ofPatch = nearestDistance(present)
  const surface = maskOf((p) => patch[p] === 1 && map.distance[p] === ofPatch[p])
  const foreign = maskOf((p) => surface[p] === 1 && !isNear(map, nearest, p))
  const specks = open(foreign, 1)
  return fillHoles(
    maskOf((p) => surface[p] === 1 && specks[p] === 0),
    HOLE,
  )
}

/** The parts of a mask that are no specks; pieces at most 2 px apart are one part. */
function patchesOf(mask: Mask): Mask[] {
  return components(dilate(mask, 1))
    .map((part) => maskOf((p) => part[p] === 1 && mask[p] === 1))
    .filter((part) => areaOf(open(part, 1)) >= SPECK)
}

/**
 * The colours of a patch, the one that explains most of its inside first. Another is there only where it has a surface
 * of its own: the blend of two colours at an edge may look like a third, but is a line and vanishes where it is opened.
 */
function coloursOf(patch: Mask, paints: readonly ColourMap[], nearest: Float32Array): ColourMap[] {
  const found: ColourMap[] = []
  for (let left = patch; areaOf(open(left, 1)) >= SPECK; ) {
    const inside = erode(left, 1)
    const surfaces = paints.map((map) => {
      const near = maskOf((p) => left[p] === 1 && isNear(map, nearest, p))
      return { map, near, core: areaOf(maskOf((p) => near[p] === 1 && inside[p] === 1)) }
    })
    const { map, near } = surfaces.reduce((a, b) => (b.core > a.core ? b : a))
    if (found.length > 0 && areaOf(open(near, 1)) < SPECK) break
    found.push(map)
    const taken = dilate(near, 1)
    const rest = left
    left = maskOf((p) => rest[p] === 1 && taken[p] === 0)
  }
  return found
}

function observeObject(map: ColourMap, region: Mask, background: Background): SeenObject {
  const doubtful = maskOf((p) => map.distance[p] < 2 * DOUBT && background.distance[p] < 2 * DOUBT)
  return {
    colour: map.colour,
    texture: observeTexture(interiorOf(region), map.shade),
    ...observeShape(region, doubtful),
  }
}

/** The pixels well inside a region, where no other colour blends in. */
function interiorOf(region: Mask): number[] {
  const inner = erode(region, BLEND)
  const inside = areaOf(inner) >= SPECK ? inner : erode(region, BLEND - 1)
  return [...inside.keys()].filter((pixel) => inside[pixel])
}
