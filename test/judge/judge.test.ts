import { beforeAll, describe, expect, test } from 'vitest'
import { judgePicture, judgeScene, observeScene, type SeenScene } from '../../src/judge/index.js'
import { changesOf, placeOf } from '../support/caption-changes.js'
import { type DrawnScene, drawScenes } from '../support/scenes.js'

const SIZE = 96
/** No training has seen scenes of these seeds; a larger sample is measured by bench/judge.ts. */
const FIRST_SEED = 5_000_000
const COUNT = 150

let scenes: (DrawnScene & { readonly seen: SeenScene })[]
beforeAll(() => {
  scenes = drawScenes(COUNT, FIRST_SEED).map((scene) => ({
    ...scene,
    seen: observeScene(scene.rgb, SIZE, SIZE),
  }))
})

describe('true renderings', () => {
  test('show what their captions say: at least 98 % of the pictures with all their facts', () => {
    const verdicts = scenes.map(({ seen, caption }) => judgeScene(seen, caption))
    const facts = verdicts.flatMap((verdict) => verdict.facts)
    expect(facts.filter((fact) => fact.holds).length / facts.length).toBeGreaterThanOrEqual(0.98)
    expect(verdicts.filter((verdict) => verdict.correct).length / COUNT).toBeGreaterThanOrEqual(0.98)
  })

  test('do not show what a caption with one changed fact says, and that fact alone is told as wrong', () => {
    const caught = scenes.flatMap(({ seen, caption }) =>
      changesOf(caption).map((change) => {
        const { facts } = judgeScene(seen, change.caption)
        const wrong = facts.filter((fact) => !fact.holds).map(placeOf)
        return wrong.sort().join() === [...change.wrong].sort().join()
      }),
    )
    expect(caught.length).toBeGreaterThan(20 * COUNT)
    expect(caught.filter(Boolean).length / caught.length).toBeGreaterThanOrEqual(0.98)
  })
})

describe('a picture', () => {
  /** A picture of one colour with squares [left, top, side, colour]. */
  const paint = (ground: number[], squares: [number, number, number, number[]][]): Uint8Array =>
    Uint8Array.from({ length: SIZE * SIZE * 3 }, (_, i) => {
      const x = Math.floor(i / 3) % SIZE
      const y = Math.floor(i / 3 / SIZE)
      const square = squares.find(
        ([left, top, side]) => x >= left && x < left + side && y >= top && y < top + side,
      )
      return (square?.[3] ?? ground)[i % 3]
    })
  const [red, green, blue] = [
    [214, 40, 40],
    [40, 160, 60],
    [40, 80, 215],
  ]
  const caption = 'a plain red square left of a plain green square on a plain blue background'
  const wrongOf = (rgb: Uint8Array): string[] =>
    judgePicture(rgb, SIZE, SIZE, caption)
      .facts.filter((fact) => !fact.holds)
      .map(placeOf)

  test('with all that its caption says is right', () => {
    const rgb = paint(blue, [
      [8, 30, 32, red],
      [56, 34, 32, green],
    ])
    expect(judgePicture(rgb, SIZE, SIZE, caption)).toMatchObject({ score: 1, correct: true })
  })

  test('that lacks an object is told so', () => {
    expect(wrongOf(paint(blue, [[8, 30, 32, red]]))).toEqual([
      'object 2: presence',
      'object 2: shape',
      'object 2: colour',
      'object 2: texture',
      'picture: relation',
    ])
  })

  test('that shows more is told so', () => {
    const rgb = paint(blue, [
      [8, 10, 32, red],
      [56, 12, 32, green],
      [40, 66, 24, [245, 215, 50]],
    ])
    expect(wrongOf(rgb)).toEqual(['picture: nothing else'])
  })

  test('with an object that has a piece bitten off has none of the shapes there', () => {
    const rgb = paint(blue, [
      [8, 30, 14, blue],
      [8, 30, 32, red],
      [56, 34, 32, green],
    ])
    expect(wrongOf(rgb)).toEqual(['object 1: shape'])
  })

  test('with an object in two colours has an object more than it should', () => {
    const rgb = paint(blue, [
      [8, 30, 16, [242, 242, 242]],
      [8, 30, 32, red],
      [56, 34, 32, green],
    ])
    expect(wrongOf(rgb)).toContain('picture: nothing else')
  })

  test('of nothing but noise is judged too, as wrong', () => {
    const noise = Uint8Array.from({ length: SIZE * SIZE * 3 }, (_, i) => (i * 2654435761) >>> 24)
    expect(judgePicture(noise, SIZE, SIZE, caption).correct).toBe(false)
  })

  test('that is no scene is refused', () => {
    expect(() => judgePicture(new Uint8Array(64 * 64 * 3), 64, 64, caption)).toThrow(/96x96.*got 64x64/)
  })
})
