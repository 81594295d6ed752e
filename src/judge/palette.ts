import { type Colour, colours } from './caption.js'

/** A scene's picture is `SIZE` x `SIZE` pixels. */
export const SIZE = 96
export const PIXELS = SIZE * SIZE

type Rgb = readonly [number, number, number]

/** The main shade of each colour, of 255. */
export const mainShades: Readonly<Record<Colour, Rgb>> = {
  red: [214, 40, 40],
  green: [40, 160, 60],
  blue: [40, 80, 215],
  yellow: [245, 215, 50],
  purple: [140, 50, 170],
  orange: [245, 135, 30],
  white: [242, 242, 242],
  black: [22, 22, 22],
}

/** The other shade of a texture: darker, or lighter for what is dark already. */
function secondShade(rgb: Rgb): Rgb {
  const shift = Math.max(...rgb) > 60 ? (v: number) => v / 2 : (v: number) => v + 95
  return [shift(rgb[0]), shift(rgb[1]), shift(rgb[2])]
}

/**
 * How a picture looks in the light of one colour, whose shades are the segment from its main to its second shade.
 * `shade` is where on that line a pixel falls (0 main, 1 second, beyond where it lies outside), `off` its distance from
 * the line, `distance` its distance from the segment, both of 255; each [PIXELS].
 */
export interface ColourMap {
  readonly colour: Colour
  /** The segment's length, of 255. */
  readonly length: number
  readonly shade: Float32Array
  readonly off: Float32Array
  readonly distance: Float32Array
}

/** Distance from the part `low … high` of a colour's shades. */
export function distanceFrom(
  { shade, off, length }: ColourMap,
  pixel: number,
  low: number,
  high: number,
): number {
  const beyond = length * Math.max(low - shade[pixel], shade[pixel] - high, 0)
  return Math.sqrt(off[pixel] ** 2 + beyond ** 2)
}

const difference = (a: Rgb, b: Rgb): Rgb => [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
const dot = (a: Rgb, b: Rgb): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]

/** A picture [SIZE, SIZE, 3] in the light of every colour. */
export function mapColours(rgb: Uint8Array): ColourMap[] {
  return colours.map((colour) => {
    const main = mainShades[colour]
    const axis = difference(secondShade(main), main)
    const length = Math.sqrt(dot(axis, axis))
    const map: ColourMap = {
      colour,
      length,
      shade: new Float32Array(PIXELS),
      off: new Float32Array(PIXELS),
      distance: new Float32Array(PIXELS),
    }
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      const from = difference([rgb[pixel * 3], rgb[pixel * 3 + 1], rgb[pixel * 3 + 2]], main)
      const along = dot(from, axis) / length
      map.shade[pixel] = along / length
      map.off[pixel] = Math.sqrt(Math.max(0, dot(from, from) - along ** 2))
      map.distance[pixel] = distanceFrom(map, pixel, 0, 1)
    }
    return map
  })
}

/** Colours whose distances differ by less than this cannot be told apart at a pixel: dark white and light black. */
const ALIKE = 12

/** Every pixel's distance from the nearest of some colours, [PIXELS]. */
export function nearestDistance(maps: readonly ColourMap[]): Float32Array {
  const nearest = new Float32Array(PIXELS).fill(Infinity)
  for (const { distance } of maps)
    distance.forEach((d, pixel) => {
      if (d < nearest[pixel]) nearest[pixel] = d
    })
  return nearest
}

/** Whether a pixel may have this colour: none of those that are `nearest` is clearly nearer. */
export function isNear(map: ColourMap, nearest: Float32Array, pixel: number): boolean {
  return map.distance[pixel] < nearest[pixel] + ALIKE
}

/** Whether a pixel must have this colour: it is clearly nearer than all others. */
export function isClear(maps: readonly ColourMap[], map: ColourMap, pixel: number): boolean {
  return maps.every((other) => other === map || map.distance[pixel] + ALIKE < other.distance[pixel])
}
