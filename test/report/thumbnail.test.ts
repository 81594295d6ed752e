import { decode } from 'fast-png'
import { expect, test } from 'vitest'
import type { Frame } from '../../src/report/page.js'
import { difference, pngUrl, type Thumbnail, thumbnail } from '../../src/report/thumbnail.js'

const grid = { rows: 4, columns: 2 }

/** Eight pixels by sixteen, each of its own colour, offset by `shift`. */
const picture = (shift = 0) => ({
  width: 8,
  height: 16,
  rgb: Uint8Array.from({ length: 8 * 16 * 3 }, (_, i) => i + shift),
})
const all = new Array(8).fill(true)
const first = (count: number) => all.map((_, cell) => cell < count)

const pixels = (url: string) => {
  const png = decode(Buffer.from(url.replace('data:image/png;base64,', ''), 'base64'))
  return { width: png.width, height: png.height, rgba: Uint8Array.from(png.data) }
}

/** What the viewer shows: the finished picture down to the strip, then the strip, then nothing. */
function shown({ top, strip }: Omit<Frame, 'pass'>, finished: Thumbnail): Uint8Array {
  const rgba = new Uint8Array(finished.rgba.length)
  const row = finished.width * 4
  rgba.set(finished.rgba.subarray(0, top * row))
  if (strip !== null) rgba.set(pixels(strip).rgba, top * row)
  return rgba
}

test('cells that hold nothing are transparent', () => {
  const { width, height, rgba } = thumbnail(picture(), first(3), grid)
  expect([width, height]).toEqual([8, 16])
  const opacity = (x: number, y: number) => rgba[(y * 8 + x) * 4 + 3]
  expect([opacity(7, 3), opacity(3, 7), opacity(4, 7), opacity(0, 8)]).toEqual([255, 255, 0, 0])
  expect([...rgba.subarray(0, 8)]).toEqual([0, 1, 2, 255, 3, 4, 5, 255])
})

test('a large picture is made smaller by the mean of its pixels', () => {
  const rgb = Uint8Array.from({ length: 384 * 2 * 3 }, (_, i) => (Math.floor(i / 3) % 2 === 0 ? 10 : 20))
  const { width, height, rgba } = thumbnail({ width: 384, height: 2, rgb }, [true], { rows: 1, columns: 1 })
  expect([width, height]).toEqual([192, 1])
  expect(new Set(rgba)).toEqual(new Set([15, 255]))
})

test.each([
  ['of which much is as it will be', 0, 5],
  ['that differs everywhere', 9, 8],
  ['of which there is one cell', 3, 1],
  ['of which there is nothing', 0, 0],
  ['that is finished', 0, 8],
])('an unfinished picture %s is put together again from its strip', (_, shift, held) => {
  const finished = thumbnail(picture(), all, grid)
  const unfinished = thumbnail(picture(shift), first(held), grid)
  const frame = difference(unfinished, finished)
  expect(shown(frame, finished)).toEqual(unfinished.rgba)
})

test('only the strip is kept', () => {
  const finished = thumbnail(picture(), all, grid)
  expect(difference(thumbnail(picture(), first(5), grid), finished)).toMatchObject({ top: 7, rows: 5 })
  expect(difference(finished, finished)).toEqual({ top: 16, rows: 0, strip: null })
  expect(pixels(pngUrl(finished))).toEqual(finished)
})
