import type { Picture } from '../../engine/index.js'
import { CaptionError, judgePicture } from '../../judge/index.js'
import type { ImageRecord } from '../record.js'

/** The metric that comes with sjd2: does the picture show what its caption says? */
export const SCENES = 'scenes'

/** The judge's verdict; nulls for a caption outside the scenes' grammar, or no picture of a scene. */
export function judgeScene(
  { rgb, width, height }: Picture,
  prompt: string,
): Pick<ImageRecord, 'facts' | 'right'> {
  try {
    const { score, correct } = judgePicture(rgb, width, height, prompt)
    return { facts: score, right: correct }
  } catch (error) {
    if (error instanceof CaptionError || error instanceof RangeError) return { facts: null, right: null }
    throw error
  }
}
