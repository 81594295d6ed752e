import { decode } from 'fast-png'
import { describe, expect, test } from 'vitest'
import { shortHash } from '../../src/experiment/identity.js'
import { encodePicture, PARAMETERS_KEYWORD, pictureName, specSlug } from '../../src/experiment/picture.js'
import { policyNames } from '../../src/policies/index.js'

test('a PNG holds the very pixels, and its parameters in any script', () => {
  const rgb = Uint8Array.from({ length: 5 * 3 * 3 }, (_, i) => (i * 37) % 256)
  const parameters = { prompt: 'ein Vögelchen – 鳥 🐦', seed: 7, nested: { window: 64 } }
  const png = decode(encodePicture({ width: 5, height: 3, rgb }, parameters), { checkCrc: true })
  expect([png.width, png.height, png.channels, png.depth]).toEqual([5, 3, 3, 8])
  expect(png.data).toEqual(rgb)
  expect(JSON.parse(png.text[PARAMETERS_KEYWORD]!)).toEqual(parameters)
})

describe('a file name', () => {
  test.each([
    ['A red circle, left of "x"!', 'a-red-circle-left-of-x-s3-0-ab.png'],
    ['../../etc/passwd', 'etc-passwd-s3-0-ab.png'],
    ['鳥 und Vögel', '鳥-und-vögel-s3-0-ab.png'],
    ['!?', 'picture-s3-0-ab.png'],
    ['❤\ufe0f', 'picture-s3-0-ab.png'], // it would begin with a sign that nobody sees
  ])('of %s', (prompt, name) => {
    expect(pictureName({ prompt, seed: 3, index: 0 }, 'ab')).toBe(name)
  })

  test('tells every policy from every other', () => {
    expect(new Set(policyNames.map(specSlug)).size).toBe(policyNames.length)
  })

  test('is short enough for any file system', () => {
    const nameOf = (prompt: string, seed: number, index: number) =>
      pictureName({ prompt, seed, index }, shortHash('', prompt))
    expect(nameOf('x'.repeat(500), 0, 0)).toMatch(/^x{120}-s0-0-[0-9a-f]{12}\.png$/)
    const long = nameOf(`a${'漢字'.repeat(200)}`, 2 ** 53 - 1, 10 ** 9)
    expect(long).toMatch(/^a(漢字)+漢?-s9007199254740991-1000000000-[0-9a-f]{12}\.png$/)
    expect(Buffer.byteLength(long)).toBeLessThan(255)
  })
})
