import type { Answer } from '../bridge/index.js'
import type { RunningImage } from './running-image.js'

/** Replies whose logits some image may still read, so that their memory cannot be used again. */
export class ReplyBuffers {
  #held: { readonly answer: Answer<'forward'>; readonly images: readonly RunningImage[] }[] = []

  /** Keeps a reply that these images took; releases those, of all that are kept, that no image reads any more. */
  hold(answer: Answer<'forward'>, images: readonly RunningImage[]): void {
    this.#held.push({ answer, images })
    this.#held = this.#held.filter(({ answer, images }) => {
      const { buffer } = answer.tensors.logits.data
      if (images.some((image) => image.holds(buffer))) return true
      answer.release?.()
      return false
    })
  }
}
