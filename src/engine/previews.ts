import type { Decodable } from '../decoding/index.js'
import { decodePictures, type Picture } from './pictures.js'
import type { SupervisedWorker } from './supervised-worker.js'

interface Request {
  readonly image: Decodable
  resolve(picture: Picture): void
  reject(error: unknown): void
}

/**
 * Pictures of images that are not finished. One is asked of the worker at a time, and only when all forwards are under way
 * that can be: a picture never stands before a pass.
 */
export class Previews {
  readonly #worker: SupervisedWorker
  readonly #onDone: () => void
  #requests: Request[] = []
  #decoding = false

  constructor(worker: SupervisedWorker, onDone: () => void) {
    this.#worker = worker
    this.#onDone = onDone
  }

  /** Whether one waits that could be asked of the worker now. */
  get waiting(): boolean {
    return !this.#decoding && this.#requests.length > 0
  }

  ask(image: Decodable): Promise<Picture> {
    return new Promise((resolve, reject) => {
      this.#requests.push({ image, resolve, reject })
    })
  }

  /** Asks the worker for the next one, as its image stands now. */
  start(): void {
    if (this.#decoding) return
    const request = this.#requests.shift()
    if (request === undefined) return
    this.#decoding = true
    void this.#decode(request)
  }

  failAll(error: unknown): void {
    for (const { reject } of this.#requests.splice(0)) reject(error)
  }

  async #decode({ image, resolve, reject }: Request): Promise<void> {
    try {
      if (image.preview === undefined) throw new Error('This image does not say how it stands.')
      const [picture] = await decodePictures(this.#worker, [image.preview()], 1)
      resolve(picture)
    } catch (error) {
      reject(error)
    } finally {
      this.#decoding = false
      this.#onDone()
    }
  }
}
