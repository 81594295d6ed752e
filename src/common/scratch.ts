/** Memory that is used again and again, for one thing at a time. */
export class Scratch {
  #numbers = new Float32Array()

  /** So many numbers, of any value; what was there before is given up. */
  of(length: number): Float32Array {
    if (this.#numbers.length < length) this.#numbers = new Float32Array(length)
    return this.#numbers.subarray(0, length)
  }
}
