import type { Texture } from './caption.js'
import { SIZE } from './palette.js'

/** All patterns repeat after this many pixels. */
const PERIOD = 16
/** A block of the picture's lattice, in pixels: the pattern may be displaced from one to the next. */
const BLOCK = 16
/** A token's pixels: a pattern that was put together wrongly is displaced by whole tokens. */
const TOKEN = 4
/** What a pattern must explain of the shade's variance. */
const EXPLAINED = 0.28
/** How strong a pattern must be, in shades (1 where it goes all the way from the main to the second). */
const STRENGTH = 0.35
/** What the middle seven tenths of a plain surface's shades may span. */
const SPAN = 0.5

type Pattern = (x: number, y: number) => boolean

/** Where a texture shows its second shade; stripes run in one of three directions. */
const patterns: readonly (readonly [Texture, readonly Pattern[]])[] = [
  ['striped', [(x) => x % 8 >= 4, (_, y) => y % 8 >= 4, (x, y) => (x + y) % 8 >= 4]],
  ['checkered', [(x, y) => (Math.floor(x / 8) + Math.floor(y / 8)) % 2 === 1]],
  ['dotted', [(x, y) => Math.sqrt(((x % 8) - 4) ** 2 + ((y % 8) - 4) ** 2) < 2.5]],
]

/** Every texture at every displacement by whole tokens, as tiles [PERIOD, PERIOD]. */
const templates = patterns.map(([texture, variants]) => {
  const steps = Array.from({ length: PERIOD / TOKEN }, (_, i) => i * TOKEN)
  const places = steps.flatMap((dx) => steps.map((dy) => [dx, dy] as const))
  return { texture, tiles: variants.flatMap((pattern) => places.map(([dx, dy]) => tileOf(pattern, dx, dy))) }
})

/** A pattern as soft as a tokenizer leaves it: the mean of 3x3 pixels. */
function tileOf(pattern: Pattern, dx: number, dy: number): Float32Array {
  return Float32Array.from({ length: PERIOD ** 2 }, (_, place) => {
    const x = (place % PERIOD) + dx + PERIOD + 0.5
    const y = Math.floor(place / PERIOD) + dy + PERIOD + 0.5
    const around = [-1, 0, 1].flatMap((ox) => [-1, 0, 1].map((oy) => (pattern(x + ox, y + oy) ? 1 : 0)))
    return around.reduce<number>((sum, shown) => sum + shown, 0) / around.length
  })
}

/** The texture of a surface, given its pixels and their shade; null where it is none of the four. */
export function observeTexture(pixels: readonly number[], shade: Float32Array): Texture | null {
  const blocks = blocksOf(pixels)
  const readings = templates.map(({ texture, tiles }) => ({ texture, ...readPattern(blocks, shade, tiles) }))
  const best = readings.reduce((a, b) => (b.explained > a.explained ? b : a))
  if (best.explained > EXPLAINED && best.strength > STRENGTH) return best.texture
  return spanOf(pixels, shade) < SPAN ? 'plain' : null
}

function blocksOf(pixels: readonly number[]): number[][] {
  const blocks = new Map<number, number[]>()
  for (const pixel of pixels) {
    const block = Math.floor(pixel / SIZE / BLOCK) * SIZE + Math.floor((pixel % SIZE) / BLOCK)
    const members = blocks.get(block)
    if (members) members.push(pixel)
    else blocks.set(block, [pixel])
  }
  return [...blocks.values()]
}

/**
 * How well a pattern fits when each block takes its best displacement: its strength by least squares over all blocks,
 * each around its own mean, and the share of the variance that it then explains.
 */
function readPattern(blocks: number[][], shade: Float32Array, tiles: Float32Array[]) {
  let [covariance, templateVariance, variance] = [0, 0, 0]
  for (const block of blocks) {
    const moments = tiles.map((tile) => momentsOf(block, shade, tile))
    const best = moments.reduce((a, b) => (correlation(b) > correlation(a) ? b : a))
    covariance += best.covariance
    templateVariance += best.templateVariance
    variance += best.variance
  }
  if (templateVariance === 0 || variance === 0) return { strength: 0, explained: 0 }
  return { strength: covariance / templateVariance, explained: covariance ** 2 / templateVariance / variance }
}

interface Moments {
  readonly covariance: number
  readonly templateVariance: number
  readonly variance: number
}

const correlation = ({ covariance, templateVariance }: Moments): number =>
  templateVariance > 0 ? covariance / Math.sqrt(templateVariance) : 0

/** Sums over a block of squared deviations from the mean, and of their product. */
function momentsOf(block: readonly number[], shade: Float32Array, tile: Float32Array): Moments {
  let [a, b, aa, ab, bb] = [0, 0, 0, 0, 0]
  for (const pixel of block) {
    const seen = shade[pixel]
    const told = tile[(Math.floor(pixel / SIZE) % PERIOD) * PERIOD + ((pixel % SIZE) % PERIOD)]
    a += told
    b += seen
    aa += told * told
    ab += told * seen
    bb += seen * seen
  }
  const n = block.length
  return { covariance: ab - (a * b) / n, templateVariance: aa - (a * a) / n, variance: bb - (b * b) / n }
}

function spanOf(pixels: readonly number[], shade: Float32Array): number {
  const sorted = Float32Array.from(pixels, (pixel) => shade[pixel]).sort()
  return sorted[Math.floor(sorted.length * 0.85)] - sorted[Math.floor(sorted.length * 0.15)]
}
