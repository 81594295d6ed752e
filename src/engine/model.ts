import { type Answer, floats, type ModelCard } from '../bridge/index.js'
import type { CodeVectors, Model } from '../decoding/index.js'

/** What decoding must know, from the worker's model card and its embeddings. */
export function modelOf(card: ModelCard, { tensors }: Answer<'embeddings'>): Model {
  const { image, width, denoising } = card
  const layout = Int32Array.from(card.layout)
  const table = floats(tensors, 'table', [image.count, width])
  const mean = floats(tensors, 'mean', [width])
  const unit = floats(tensors, 'deviation', [width]).map((deviation) => deviation || 1)
  return {
    image,
    layout,
    rowLength: rowLength(layout, card.grid.columns),
    denoising,
    embeddings: { table: normalised(table, mean, unit), width, deviation: unit },
  }
}

/** The picture tokenizer's vectors, from the worker's reply to `embeddings` of the codebook. */
export function codebookOf({ image }: ModelCard, { tensors }: Answer<'embeddings'>): CodeVectors {
  const [, width = 0] = tensors.codebook?.shape ?? []
  return { table: floats(tensors, 'codebook', [image.count, width]), width }
}

/** From the first free position of the first row to that of the second; the whole layout where there is one row. */
function rowLength(layout: Int32Array, columns: number): number {
  const free = [...layout.keys()].filter((position) => layout[position] === -1)
  return columns < free.length ? free[columns] - free[0] : layout.length
}

/** `(E - mean) / unit`, [count, width]; a dimension in which all rows agree becomes 0. */
function normalised(table: Float32Array, mean: Float32Array, unit: Float32Array): Float32Array {
  const width = mean.length
  const result = new Float32Array(table.length)
  for (let row = 0; row < table.length; row += width) {
    for (let i = 0; i < width; i++) result[row + i] = (table[row + i] - mean[i]) / unit[i]
  }
  return result
}
