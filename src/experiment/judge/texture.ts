import type { Texture } from './caption.js'
import { SIZE } from './palette.js'
import { leastSquares } from './regression.js'

/** Where a texture shows its second shade, 0 or 1, at a pixel: all hang on the picture's lattice of 8 px. */
const patterns: readonly (readonly [Texture, (x: number, y: number) => boolean])[] = [
  ['striped', (x) => x % 8 >= 4],
  ['striped', (_, y) => y % 8 >= 4],
  ['striped', (x, y) => (x + y) % 8 >= 4],
  ['checkered', (x, y) => (Math.floor(x / 8) + Math.floor(y / 8)) % 2 === 1],
  ['dotted', (x, y) => Math.hypot((x % 8) - 4, (y % 8) - 4) < 2.5],
]

/** Every pattern over the whole picture, as soft as a tokenizer leaves it: the mean of 3x3 pixels, [PIXELS]. */
const templates = patterns.map(([texture, shows]) => {
  const softened = Float32Array.from({ length: SIZE * SIZE }, (_, pixel) => {
    let sum = 0
    for (const dy of [-1, 0, 1]) {
      for (const dx of [-1, 0, 1]) {
        // Two whole periods away, so that nothing is negative.
        sum += shows((pixel % SIZE) + 16.5 + dx, Math.floor(pixel / SIZE) + 16.5 + dy) ? 1 : 0
      }
    }
    return sum / 9
  })
  return { texture, softened }
})

/** Below this deviation of the shade (0 … 1 from the main to the second) a surface counts as plain. */
const PLAIN = 0.15
/** What the best pattern must explain of the shade's variance. */
const EXPLAINED = 0.35

/** The texture of a surface, given its pixels and their shade; null where it is none of the four. */
export function observeTexture(pixels: readonly number[], shade: Float32Array): Texture | null {
  const mean = pixels.reduce((sum, pixel) => sum + shade[pixel]!, 0) / pixels.length
  const variance = pixels.reduce((sum, pixel) => sum + (shade[pixel]! - mean) ** 2, 0) / pixels.length
  if (Math.sqrt(variance) < PLAIN) return 'plain'
  const fits = templates.map(({ texture, softened }) => {
    const { weights, explained } = leastSquares(
      pixels,
      (pixel) => shade[pixel]!,
      (pixel) => [1, softened[pixel]!]
    )
    return { texture, explained: weights[1]! > 0 ? explained : 0 }
  })
  const best = fits.reduce((a, b) => (b.explained > a.explained ? b : a))
  return best.explained > EXPLAINED ? best.texture : null
}
