import { expect, test } from 'vitest'
import { cellsAt } from '../../src/report/cells.js'
import { byCells, type Decoder, evenly, heldTokens, showTrajectories } from '../../src/report/trajectories.js'
import { result } from './results.js'

/** Two rows of three codes, ids 10 to 19, with a new-line id after each row. */
const layout = Int32Array.of(-1, -1, -1, 5, -1, -1, -1, 5)
const model = { layout, image: { first: 10 } }
const card = { name: 'tiny', hash: 'abc' }
const tokens = [11, 12, 13, 5, 14, 15, 16, 5]

/** Fed: a clean draft that is accepted, one that is not, the forced id, a noisy draft, and a latent without one. */
const pass = {
  pass: 0,
  committedBefore: 1,
  committed: 4,
  accepted: 1,
  entries: 6,
  windowStart: 1,
  drafts: [12, 19, 5, 18, -1],
  levels: [0, 0, 0, 1, 2],
}

test('a trajectory is counted by cells of the grid, without what the layout forces', () => {
  const { codes, passes } = byCells({ tokens, passes: [pass] }, model)
  expect(codes).toEqual([1, 2, 3, 4, 5, 6])
  expect(passes).toEqual([
    { before: 1, after: 3, accepted: 1, entries: 6, drafts: [2, 9, 8, -1], levels: [0, 0, 1, 2] },
  ])
  expect(cellsAt(codes, passes[0])).toEqual([
    { state: 'committed', level: 0, code: 1 },
    { state: 'accepted', level: 0, code: 2 },
    { state: 'drawn', level: 0, code: 3 },
    { state: 'noise', level: 1, code: 8 },
    { state: 'noise', level: 2, code: -1 },
    { state: 'outside', level: 0, code: -1 },
  ])
})

test('a clean draft that is still open is a draft', () => {
  const [open] = byCells({ tokens, passes: [{ ...pass, committed: 2, accepted: 0 }] }, model).passes
  expect(cellsAt([1, 2, 3, 4, 5, 6], open).map(({ state }) => state)).toEqual([
    'committed',
    'drawn',
    'draft',
    'noise',
    'noise',
    'outside',
  ])
})

test('the picture of a pass holds what is final after it, then its drafts, and nothing where there are none', () => {
  const { ids, held } = heldTokens({ tokens, passes: [pass] }, 0, layout)
  expect([...ids]).toEqual([11, 12, 13, 5, 18, 18, 18, 5])
  expect(held).toEqual([true, true, true, true, false, false])
})

test('kept pictures are spread evenly, the first and the last among them', () => {
  expect(evenly(4, 10)).toEqual([0, 1, 2, 3])
  expect(evenly(100, 4)).toEqual([0, 33, 66, 99])
  expect(evenly(576, 2)).toEqual([0, 575])
})

test('only images with a result are shown, each marked as its result is', async () => {
  const trajectory = { spec: 'sjd', guidance: 3, prompt: 'a red circle', seed: 0, index: 0 }
  const record = { ...trajectory, grid: { rows: 2, columns: 3 }, tokens, passes: [{ ...pass, committed: 8 }] }
  const decode: Decoder['decode'] = async (images) =>
    images.map((ids) => ({
      width: 3,
      height: 2,
      rgb: Uint8Array.from([...ids].filter((id) => id >= 10).flatMap((id) => [id, id, id])),
    }))
  const told: number[][] = []
  const show = (results: ReturnType<typeof result>[]) =>
    showTrajectories({ trajectories: [record], results }, { decode, model, card }, (...counts) =>
      told.push(counts),
    )
  expect(await show([result({ index: 1 })])).toBeNull()
  const viewer = await show([result({ exact: false, topK: 7 })])
  expect(viewer).toMatchObject({
    grid: { rows: 2, columns: 3 },
    trajectories: [
      {
        exact: false,
        image: 'a red circle (guidance 3, top-k 7, seed 0, image 0)',
        codes: [1, 2, 3, 4, 5, 6],
      },
    ],
  })
  expect(viewer!.trajectories[0].film.frames).toEqual([{ pass: 0, top: 2, rows: 0, strip: null }])
  expect(told).toEqual([[1, 1]])
})
