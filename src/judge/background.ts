import type { BackgroundKind, Colour } from './caption.js'
import { components, erode, maskOf } from './mask.js'
import { type ColourMap, distanceFrom, isClear, PIXELS, SIZE } from './palette.js'
import { leastSquares } from './regression.js'

/** What stands behind the objects. */
export interface Background {
  readonly colour: Colour
  readonly kind: BackgroundKind
  /** How far each pixel is from anything that this background shows there, of 255: [PIXELS]. */
  readonly distance: Float32Array
}

/** A band of this width along the picture's edge decides on the colour; objects seldom reach into it. */
const BAND = 4
/** Below this deviation of the shade (0 … 1 from the main to the second) a surface counts as plain. */
const PLAIN = 0.1
/** A gradient or a wave must explain this share of the shade's variance. */
const EXPLAINED = 0.5
/** Shades beyond the background's own by less than this still count as its own. */
const SLACK = 0.08

/** Reads the background from the picture's edge and all that hangs together with it. */
export function observeBackground(maps: readonly ColourMap[]): Background {
  const map = edgeColour(maps)
  const seen = surroundings(maps, map)
  // Nothing hangs together: nothing stands in front of such a background.
  if (seen.length === 0) return { colour: map.colour, kind: 'noisy', distance: new Float32Array(PIXELS) }
  const { kind, expected } = kindOf(seen, map.shade)
  return { colour: map.colour, kind, distance: distanceFromExpected(map, seen, expected) }
}

/** What varies the shade over the pixels seen, and the shade that it leads one to expect at every pixel. */
function kindOf(seen: number[], shade: Float32Array): { kind: BackgroundKind; expected: Float32Array } {
  const shadeAt = (pixel: number) => shade[pixel]
  const mean = average(seen, shadeAt)
  const deviation = Math.sqrt(average(seen, (pixel) => (shade[pixel] - mean) ** 2))
  const plane = leastSquares(seen, shadeAt, planeAt)
  const wave = leastSquares(seen, shadeAt, waveAt)
  const model = (kind: BackgroundKind, shadeFor: (pixel: number) => number) => ({
    kind,
    expected: Float32Array.from({ length: PIXELS }, (_, pixel) => shadeFor(pixel)),
  })
  if (deviation < PLAIN) return model('plain', () => mean)
  if (Math.max(plane.explained, wave.explained) < EXPLAINED) return model('noisy', () => mean)
  return plane.explained > wave.explained
    ? model('gradient', (pixel) => dot(planeAt(pixel), plane.weights))
    : model('wavy', (pixel) => dot(waveAt(pixel), wave.weights))
}

/** The colour of most pixels of the edge. */
function edgeColour(maps: readonly ColourMap[]): ColourMap {
  const counts = new Map(maps.map((map) => [map, 0]))
  for (let pixel = 0; pixel < PIXELS; pixel++) {
    if (!isEdge(pixel)) continue
    for (const map of maps) if (isClear(maps, map, pixel)) counts.set(map, (counts.get(map) ?? 0) + 1)
  }
  return [...counts].reduce((best, next) => (next[1] > best[1] ? next : best))[0]
}

function isEdge(pixel: number): boolean {
  const x = pixel % SIZE
  const y = Math.floor(pixel / SIZE)
  return Math.min(x, y, SIZE - 1 - x, SIZE - 1 - y) < BAND
}

/** The pixels of a colour that hang together with the picture's edge, and lie well inside. */
function surroundings(maps: readonly ColourMap[], map: ColourMap): number[] {
  const clear = maskOf((pixel) => isClear(maps, map, pixel))
  const edge = [...clear.keys()].filter(isEdge)
  const parts = components(clear, edge)
  const region = erode(
    maskOf((pixel) => parts.some((part) => part[pixel])),
    2,
  )
  return [...region.keys()].filter((pixel) => region[pixel])
}

function planeAt(pixel: number): number[] {
  return [1, (pixel % SIZE) / SIZE, Math.floor(pixel / SIZE) / SIZE]
}

/** The wavy background's pattern, period 12 px along y, its crests swinging 3 px with period 24 px along x. */
function waveAt(pixel: number): number[] {
  const x = (pixel % SIZE) + 0.5
  const y = Math.floor(pixel / SIZE) + 0.5
  const phase = (2 * Math.PI * (y + 3 * Math.sin((2 * Math.PI * x) / 24))) / 12
  return [1, Math.sin(phase), Math.cos(phase)]
}

/** How far each pixel is from the expected shade, give or take what the background itself shows around it. */
function distanceFromExpected(map: ColourMap, seen: number[], expected: Float32Array): Float32Array {
  const errors = Float32Array.from(seen, (pixel) => map.shade[pixel] - expected[pixel]).sort()
  const low = errors[Math.floor(errors.length * 0.01)] - SLACK
  const high = errors[Math.floor(errors.length * 0.99)] + SLACK
  return expected.map((shade, pixel) => distanceFrom(map, pixel, shade + low, shade + high))
}

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, v, i) => sum + v * b[i], 0)

const average = (places: readonly number[], valueAt: (place: number) => number) =>
  places.reduce((sum, place) => sum + valueAt(place), 0) / places.length
