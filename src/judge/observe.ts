import { type Background, observeBackground } from './background.js'
import { observeObjects, type SeenObject } from './objects.js'
import { mapColours, SIZE } from './palette.js'

/** What a picture shows, told without its caption. */
export interface SeenScene {
  readonly background: Background
  readonly objects: readonly SeenObject[]
}

/** Looks at a picture [height, width, 3] of 96x96 pixels; throws a RangeError for any other. */
export function observeScene(rgb: Uint8Array, width: number, height: number): SeenScene {
  if (width !== SIZE || height !== SIZE || rgb.length !== SIZE * SIZE * 3) {
    throw new RangeError(
      `The judge knows scenes of ${SIZE}x${SIZE} RGB pixels, but got ${width}x${height} in ${rgb.length} bytes. ` +
        'Judge pictures of the "scenes" checkpoint only, as they were decoded, without scaling.',
    )
  }
  const maps = mapColours(rgb)
  const background = observeBackground(maps)
  return { background, objects: observeObjects(maps, background) }
}
