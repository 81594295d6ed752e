import { describe, expect, test } from 'vitest'
import {
  above,
  type Draft,
  gaussian,
  ImageRandom,
  type ImageState,
  type Initializer,
  left,
  likeliest,
  NO_CODE,
  random,
  repeat,
  vertical,
} from '../../src/index.js'
import { chiSquare } from '../support/chi-square.js'
import { draftOf, plainSampling } from '../support/fake-pass.js'
import { toy } from '../support/toy-model.js'

const NEWLINE = 0
// Four codes and a forced new line a row: positions 4, 9 and 14 are forced.
const { model } = toy({
  layout: Array.from({ length: 3 }, () => [-1, -1, -1, -1, NEWLINE]).flat(),
  rowLength: 5,
  codes: 8,
})

/** An image whose first positions hold these codes. */
function imageWith(codes: readonly number[]): ImageState {
  const tokens = Int32Array.from(model.layout)
  codes.forEach((code, j) => {
    if (model.layout[j] < 0) tokens[j] = model.image.first + code
  })
  return {
    model,
    tokens,
    committed: codes.length,
    sampling: plainSampling,
    random: new ImageRandom(1, 0),
    drafts: [],
    ahead: new Map(),
    passes: 2,
    history: [],
    upcoming: () => [],
    latent: () => new Float32Array(model.embeddings.width),
  }
}

const committed = [0, 1, 2, 3, NO_CODE, 4, 5]
const drafts: Draft[] = [draftOf({ position: 7, code: 6 }), draftOf({ position: 8, code: 7 })]

function codeFor(initializer: Initializer, position: number, codes = committed, before = drafts) {
  return initializer.start(position, imageWith(codes), before).code
}

test('repeat copies the last committed code, over a forced token too', () => {
  expect(codeFor(repeat, 10)).toBe(5)
  expect(codeFor(repeat, 5, [0, 1, 2, 3, NO_CODE], [])).toBe(3)
})

test('left copies what stands to the left, draft or committed', () => {
  expect(codeFor(left, 7, committed, [])).toBe(5)
  expect(codeFor(left, 8)).toBe(6)
})

test('likeliest takes the likeliest code of what the left draft was drawn from, else what stands there', () => {
  const probabilities = Float32Array.of(0.1, 0.1, 0.5, 0.1, 0.1, 0.1, 0, 0)
  const drawn = draftOf({ position: 7, code: 6, proposal: { kind: 'dense', probabilities } })
  expect(codeFor(likeliest, 8, committed, [drawn])).toBe(2)
  expect(codeFor(likeliest, 8)).toBe(6)
  expect(codeFor(likeliest, 7, committed, [])).toBe(5)
})

test('above copies what stands above, draft or committed', () => {
  expect(codeFor(above, 7)).toBe(2)
  expect(codeFor(above, 12)).toBe(6)
})

test('vertical copies the nearest committed code in the column above', () => {
  expect(codeFor(vertical, 12)).toBe(2)
  expect(codeFor(vertical, 11)).toBe(5)
})

test('in the first row, and beside a forced token, the last committed code stands in', () => {
  expect(codeFor(above, 3, [0, 1, 2], [])).toBe(2)
  expect(codeFor(vertical, 3, [0, 1, 2], [])).toBe(2)
  expect(codeFor(left, 5, [0, 1, 2, 3, NO_CODE], [])).toBe(3)
})

test('a draft above that holds no code yet is no source, nor is a position without a draft', () => {
  expect(codeFor(above, 12, committed, [draftOf({ position: 7 })])).toBe(5)
  expect(codeFor(above, 12, committed, [])).toBe(5)
})

test('the very first position is a source like any other', () => {
  const row = [6, 1, 2, 3, NO_CODE]
  expect(codeFor(left, 1, [6], [])).toBe(6)
  expect(codeFor(above, 5, row, [])).toBe(6)
  expect(codeFor(vertical, 5, row, [])).toBe(6)
})

describe.each([repeat, left, likeliest, above, vertical])('$name', (initializer) => {
  test('names a one-hot proposal', () => {
    expect(initializer.start(10, imageWith(committed), drafts).proposal).toEqual({ kind: 'one-hot' })
  })

  test('starts at random where nothing is committed', () => {
    expect(initializer.start(0, imageWith([]), []).proposal).toEqual({ kind: 'uniform' })
  })
})

test('random codes are even (8,000 of them; fails for 1 seed in 10,000)', () => {
  const image = imageWith(committed)
  const counts = new Map<string, number>()
  for (let position = 0; position < 8000; position += 1) {
    const { code, proposal } = random.start(position, image, [])
    expect(proposal).toEqual({ kind: 'uniform' })
    counts.set(String(code), (counts.get(String(code)) ?? 0) + 1)
  }
  const even = new Map(Array.from({ length: 8 }, (_, code) => [String(code), 1 / 8]))
  expect(chiSquare(counts, even).pValue).toBeGreaterThan(1e-4)
})

test('random codes are drawn anew where a position enters again in a later pass', () => {
  const codes = (passes: number) =>
    Array.from(
      { length: 20 },
      (_, position) => random.start(position, { ...imageWith(committed), passes }, []).code,
    )
  expect(codes(2)).toEqual(codes(2))
  expect(codes(3)).not.toEqual(codes(2))
})

test('gaussian starts without a draft, as pure noise of its own position and pass', () => {
  const start = (position: number, passes: number) =>
    gaussian(5).start(position, { ...imageWith(committed), passes }, [])
  const draft = start(10, 2)
  expect(draft).toMatchObject({
    position: 10,
    code: NO_CODE,
    proposal: null,
    noise: { level: 5, timestep: 1 },
  })
  expect(draft.noise?.latent).toHaveLength(model.embeddings.width)
  expect(start(10, 2)).toEqual(draft)
  expect(start(11, 2).noise?.latent).not.toEqual(draft.noise?.latent)
  expect(start(10, 3).noise?.latent).not.toEqual(draft.noise?.latent)
})
