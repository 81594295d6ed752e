import { PIXELS, SIZE } from './palette.js'

/** A set of pixels: 1 inside, 0 outside, [PIXELS]. */
export type Mask = Uint8Array

export function maskOf(holds: (pixel: number) => boolean): Mask {
  const mask = new Uint8Array(PIXELS)
  for (let pixel = 0; pixel < mask.length; pixel++) mask[pixel] = holds(pixel) ? 1 : 0
  return mask
}

export function areaOf(mask: Mask): number {
  let area = 0
  for (const inside of mask) area += inside
  return area
}

/** All pixels with a pixel of the mask at most `radius` away in both directions. */
export function dilate(mask: Mask, radius: number): Mask {
  return spread(spread(mask, radius, 1, SIZE), radius, SIZE, 1)
}

/** Spreads a mask along lines of pixels that are `step` apart; the lines begin `lineStep` apart. */
function spread(mask: Mask, radius: number, step: number, lineStep: number): Mask {
  const wider = new Uint8Array(PIXELS)
  for (let line = 0; line < SIZE; line++) {
    for (let place = 0; place < SIZE; place++) {
      if (!mask[line * lineStep + place * step]) continue
      const last = Math.min(place + radius, SIZE - 1)
      for (let k = Math.max(place - radius, 0); k <= last; k++) wider[line * lineStep + k * step] = 1
    }
  }
  return wider
}

/** The pixels farther than `radius` from every pixel outside; beyond the picture's edge nothing counts as outside. */
export function erode(mask: Mask, radius: number): Mask {
  const outside = dilate(
    maskOf((pixel) => !mask[pixel]),
    radius,
  )
  return maskOf((pixel) => !outside[pixel])
}

/** The mask without what is thinner than `2 * radius + 1` pixels: lines and specks. */
export function open(mask: Mask, radius: number): Mask {
  return dilate(erode(mask, radius), radius)
}

/** The parts of a mask that hang together, corners included; given `seeds`, only those that hold one of them. */
export function components(mask: Mask, seeds?: Iterable<number>): Mask[] {
  const left = mask.slice()
  const parts: Mask[] = []
  for (const seed of seeds ?? left.keys()) {
    if (!left[seed]) continue
    const part = new Uint8Array(PIXELS)
    const stack = [seed]
    left[seed] = 0
    for (let pixel = stack.pop(); pixel !== undefined; pixel = stack.pop()) {
      part[pixel] = 1
      for (const next of neighbours(pixel)) {
        if (left[next]) {
          left[next] = 0
          stack.push(next)
        }
      }
    }
    parts.push(part)
  }
  return parts
}

/** The mask with its holes of at most `area` pixels filled. */
export function fillHoles(mask: Mask, area: number): Mask {
  const holes = components(maskOf((pixel) => mask[pixel] === 0)).filter((hole) => areaOf(hole) <= area)
  return maskOf((pixel) => mask[pixel] === 1 || holes.some((hole) => hole[pixel] === 1))
}

function neighbours(pixel: number): number[] {
  const x = pixel % SIZE
  const places: number[] = []
  for (const row of [pixel - SIZE, pixel, pixel + SIZE]) {
    if (row < 0 || row >= PIXELS) continue
    if (x > 0) places.push(row - 1)
    places.push(row)
    if (x < SIZE - 1) places.push(row + 1)
  }
  return places
}
