import { deflateSync } from 'node:zlib'
import { encode } from 'fast-png'
import { expect, test } from 'vitest'
import { otherTexts } from '../../src/experiment/png-texts.js'

const picture = encode({
  width: 1,
  height: 1,
  channels: 3,
  depth: 8,
  data: new Uint8Array(3),
  text: { plain: 'not read here' },
})

/** The picture with a further chunk behind its head, as programs place texts. Checksums are the decoder's affair. */
function withChunk(type: string, data: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(data.length)
  const head = 8 + 25
  return Buffer.concat([
    picture.subarray(0, head),
    length,
    Buffer.from(type),
    data,
    Buffer.alloc(4),
    picture.subarray(head),
  ])
}

const text = '{"prompt": "a café in 東京"}'
const latin = '{"prompt": "a caf\u00e9"}'

test.each([
  ['compressed', 'zTXt', [Buffer.from('sjd2\0\0'), deflateSync(Buffer.from(latin, 'latin1'))], latin],
  ['in UTF-8', 'iTXt', [Buffer.from('sjd2\0\0\0en\0das\0'), Buffer.from(text)], text],
  ['in UTF-8, compressed', 'iTXt', [Buffer.from('sjd2\0\x01\0\0\0'), deflateSync(text)], text],
])('a text that another program left %s', (_, type, parts, said) => {
  expect(otherTexts(withChunk(type, Buffer.concat(parts)))).toEqual({ sjd2: said })
})

test('a picture without such texts', () => {
  expect(otherTexts(picture)).toEqual({})
})

test('a text that is damaged, or says too much, is an error', () => {
  expect(() => otherTexts(withChunk('zTXt', Buffer.from('sjd2\0\0no zlib')))).toThrow()
  expect(() => otherTexts(withChunk('iTXt', Buffer.from('no end')))).toThrow('no end')
  const bomb = Buffer.concat([Buffer.from('sjd2\0\0'), deflateSync(Buffer.alloc((1 << 24) + 1))])
  expect(() => otherTexts(withChunk('zTXt', bomb))).toThrow()
})
