import type { Answer } from '../bridge/index.js'
import type { Seat } from './seat.js'

/** Answers whose logits some image may still read, so that their memory cannot be used again. */
export class Lent {
  #answers: { readonly answer: Answer<'forward'>; readonly seats: readonly Seat[] }[] = []

  /** To be told of an answer that these seats took, and asked at every turn: gives back what none holds any more. */
  lend(answer: Answer<'forward'>, seats: readonly Seat[]): void {
    this.#answers.push({ answer, seats })
    this.#answers = this.#answers.filter(({ answer, seats }) => {
      const { buffer } = answer.tensors.logits.data
      if (seats.some((seat) => seat.holds(buffer))) return true
      answer.release?.()
      return false
    })
  }
}
