import { describe, expect, test } from 'vitest'
import { decodeTensors, encodeRequest } from '../../src/bridge/codec.js'
import { bytes, floats, floatsOrHalves, tensor, tensorOf } from '../../src/bridge/tensor.js'

const badReply = expect.objectContaining({ code: 'bad-reply' })

describe('a frame', () => {
  test.each(['f32', 'i32'] as const)(
    'of %s is viewed where it is aligned and copied where it is not',
    (dtype) => {
      const memory = new Uint8Array(24)
      const aligned = tensorOf({ name: 'x', dtype, shape: [2, 2] }, memory.subarray(4, 20))
      const copied = tensorOf({ name: 'x', dtype, shape: [2, 2] }, memory.subarray(5, 21))
      memory.fill(1)
      expect(aligned.data).toEqual(
        aligned.data.map(() => new Int32Array(memory.buffer)[0]).fill(aligned.data[0]),
      )
      expect(aligned.data[0]).not.toBe(0)
      expect([...copied.data]).toEqual([0, 0, 0, 0])
    },
  )

  test('that is not as long as its shape says is refused', () => {
    expect(() => tensorOf({ name: 'x', dtype: 'f16', shape: [3] }, new Uint8Array(5))).toThrowError(badReply)
  })

  test('too many or too few are refused', () => {
    const descriptors = [{ name: 'x', dtype: 'u8' as const, shape: [1] }]
    expect(() => decodeTensors(descriptors, [Uint8Array.of(0)])).toThrowError(badReply)
    expect(() => decodeTensors([], [Uint8Array.of(0), Uint8Array.of(0)])).toThrowError(badReply)
  })

  test('of a request is the memory of its tensor', () => {
    const data = Float32Array.of(1, 2, 3).subarray(1)
    const [, frame] = encodeRequest({ op: 'forward', id: 1 }, { x: tensor(data) })
    expect([frame.buffer, frame.byteOffset, frame.byteLength]).toEqual([data.buffer, 4, 8])
  })
})

test('halves stay as they are until they are asked for as floats', () => {
  const frame = new Uint8Array(Uint16Array.of(0x3c00, 0xc000).buffer)
  const tensors = { x: tensorOf({ name: 'x', dtype: 'f16', shape: [2] }, frame) }
  expect(floatsOrHalves(tensors, 'x', [2])).toEqual(Uint16Array.of(0x3c00, 0xc000))
  expect(floats(tensors, 'x', [2])).toEqual(Float32Array.of(1, -2))
  expect(() => floatsOrHalves({ x: tensor(Int32Array.of(1)) }, 'x', [1])).toThrowError(badReply)
})

describe('a tensor of a reply', () => {
  const tensors = { x: tensor(Float32Array.of(1, 2), [1, 2]), y: tensor(Uint8Array.of(3)) }

  test('is had by name, type and shape', () => {
    expect(floats(tensors, 'x', [1, 2])).toEqual(Float32Array.of(1, 2))
    expect(bytes(tensors, 'y', [1])).toEqual(Uint8Array.of(3))
  })

  test('is refused where one of them differs', () => {
    expect(() => floats(tensors, 'z', [1])).toThrowError(badReply)
    expect(() => floats(tensors, 'x', [2])).toThrowError(badReply)
    expect(() => floats(tensors, 'x', [2, 1])).toThrowError(badReply)
    expect(() => floats(tensors, 'y', [1])).toThrowError(badReply)
    expect(() => bytes(tensors, 'x', [1, 2])).toThrowError(badReply)
  })
})
