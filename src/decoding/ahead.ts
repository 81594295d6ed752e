import { LIKELY, type RandomAhead } from '../numerics/index.js'
import type { ImageState } from './policy.js'
import type { PositionNoise } from './readout.js'

/** About so many random numbers are drawn at a time: in some thirty microseconds. */
const AT_ONCE = 8192

/**
 * Draws some of the random numbers that an image will need whatever the logits of its pass say: the noise of positions
 * that are fed, and of the one behind them, decides once they are there, and latents enter with the pass after. False
 * where none are left to draw.
 */
export function drawAhead(image: ImageState, noise: PositionNoise, random: RandomAhead): boolean {
  const fed = image.drafts.map(({ position }) => position)
  const last = Math.max(image.committed - 1, ...fed)
  const entering = image.upcoming(fed.length + LIKELY).filter((position) => position > last)
  const decided = [...fed, ...entering.slice(0, 1)]
  let some = 1
  for (let all = 0; some > 0 && all < AT_ONCE; all += some) {
    some = noise.drawAhead(decided) || random.drawAhead(entering, image.passes + 1)
  }
  return some > 0
}
