import { bytes, type ModelCard, tensor } from '../bridge/index.js'
import type { SupervisedWorker } from './supervised-worker.js'

/** A decoded picture: 8-bit red, green, blue, row by row from the top. */
export interface Picture {
  readonly width: number
  readonly height: number
  /** [height, width, 3] */
  readonly rgb: Uint8Array
}

/** Pictures of images, each given by its ids over the whole layout; `together` of them in one message. */
export async function decodePictures(
  worker: SupervisedWorker,
  images: readonly Int32Array[],
  together: number,
): Promise<Picture[]> {
  const { model } = worker.hello
  const { width, height } = model.picture
  const size = height * width * 3
  const pictures: Picture[] = []
  for (let start = 0; start < images.length; start += together) {
    const some = images.slice(start, start + together)
    const codes = Int32Array.from(some.flatMap((ids) => codesOf(ids, model)))
    const shape = [some.length, model.grid.rows * model.grid.columns]
    const { tensors } = await worker.request({ op: 'decode' }, { codes: tensor(codes, shape) })
    const rgb = bytes(tensors, 'pictures', [some.length, height, width, 3])
    pictures.push(...some.map((_, i) => ({ width, height, rgb: rgb.slice(i * size, (i + 1) * size) })))
  }
  return pictures
}

/** Image codes, counted from 0, of the layout's free positions. */
function codesOf(ids: Int32Array, { layout, image }: ModelCard): number[] {
  return [...ids].filter((_, position) => layout[position] === -1).map((id) => id - image.first)
}
