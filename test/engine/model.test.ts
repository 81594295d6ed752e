import { expect, test } from 'vitest'
import { type Answer, tensor } from '../../src/bridge/index.js'
import { modelOf } from '../../src/engine/model.js'
import { helloOf } from './fake-worker.js'

const card = { ...helloOf({}).model, image: { first: 10, count: 3 }, width: 2 }

const embeddings: Answer<'embeddings'> = {
  head: { op: 'embeddings', id: 1, ok: true, tensors: [] },
  tensors: {
    table: tensor(Float32Array.of(1, 5, 3, 5, 8, 5), [3, 2]),
    mean: tensor(Float32Array.of(4, 5)),
    deviation: tensor(Float32Array.of(2, 0)),
  },
}

test('embeddings are normalised; a dimension without deviation is 0', () => {
  const { embeddings: normalised } = modelOf(card, embeddings)
  expect(normalised).toEqual({
    table: Float32Array.of(-1.5, 0, -0.5, 0, 2, 0),
    width: 2,
    deviation: Float32Array.of(2, 1),
  })
})

test.each([
  ['a plain grid', 2, 3, [-1, -1, -1, -1, -1, -1], 3],
  ['a new-line id after every row, a header and an end', 2, 3, [8, 9, -1, -1, -1, 7, -1, -1, -1, 7, 6], 4],
  ['a single row', 1, 3, [8, -1, -1, -1], 4],
])('the row length counts forced ids: %s', (_, rows, columns, layout, length) => {
  const model = modelOf({ ...card, grid: { rows, columns }, layout }, embeddings)
  expect(model.rowLength).toBe(length)
  expect(model.layout).toEqual(Int32Array.from(layout))
})

test('embeddings of another shape are refused', () => {
  const wrong = { ...embeddings, tensors: { ...embeddings.tensors, mean: tensor(Float32Array.of(4)) } }
  expect(() => modelOf(card, wrong)).toThrowError(expect.objectContaining({ code: 'bad-reply' }))
})
