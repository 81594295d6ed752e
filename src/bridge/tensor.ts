import { endianness } from 'node:os'
import { badReply } from './error.js'
import { floatsOfHalves } from './half.js'
import type { Tensor as Descriptor } from './messages.generated.js'

if (endianness() !== 'LE')
  throw new Error('SJD2 needs a little-endian machine: its tensors travel as they lie in memory')

/** Halves are held as their bits: most are never read. */
export type TensorData = Float32Array | Uint16Array | Int32Array | Uint8Array

/** An array with a shape, row-major. */
export interface Tensor<Data extends TensorData = TensorData> {
  readonly data: Data
  readonly shape: readonly number[]
}

/** Tensors of one message by name, in the order of their frames. */
export type Tensors = Readonly<Record<string, Tensor>>

/** An array as a tensor; without a shape it has one dimension. */
export function tensor<Data extends TensorData>(
  data: Data,
  shape: readonly number[] = [data.length],
): Tensor<Data> {
  return { data, shape }
}

/** How a tensor of that name is announced in a head. */
export function describe(name: string, { data, shape }: Tensor): Descriptor {
  return { name, dtype: dtypeOf(data), shape: [...shape] }
}

function dtypeOf(data: TensorData): Descriptor['dtype'] {
  if (data instanceof Float32Array) return 'f32'
  if (data instanceof Uint16Array) return 'f16'
  return data instanceof Int32Array ? 'i32' : 'u8'
}

/** The bytes of a tensor, not copied. */
export function frameOf({ data }: Tensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

const lengthOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1)

/** Bytes that a tensor takes. */
export const byteLength = ({ dtype, shape }: Descriptor): number => lengthOf(shape) * bytesPerElement[dtype]

const bytesPerElement = { f32: 4, f16: 2, i32: 4, u8: 1 }

/**
 * A frame as the tensor that its descriptor announces: a view of the same memory where its alignment allows.
 * @throws WorkerError `bad-reply` when the sizes differ.
 */
export function tensorOf(descriptor: Descriptor, frame: Uint8Array): Tensor {
  const { name, dtype, shape } = descriptor
  const length = lengthOf(shape)
  if (frame.byteLength !== byteLength(descriptor)) {
    throw badReply(`tensor ${name} ${dtype} [${shape.join(', ')}] has a frame of ${frame.byteLength} bytes`)
  }
  if (dtype === 'u8') return { data: frame, shape }
  const aligned = frame.byteOffset % bytesPerElement[dtype] === 0 ? frame : Uint8Array.from(frame)
  const { buffer, byteOffset } = aligned
  if (dtype === 'f32') return { data: new Float32Array(buffer, byteOffset, length), shape }
  if (dtype === 'i32') return { data: new Int32Array(buffer, byteOffset, length), shape }
  return { data: new Uint16Array(buffer, byteOffset, length), shape }
}

/**
 * The f32 (or f16) tensor of that name.
 * @throws WorkerError `bad-reply` when it is missing, of another type or of another shape.
 */
export function floats(tensors: Tensors, name: string, shape: readonly number[]): Float32Array {
  const data = floatsOrHalves(tensors, name, shape)
  return data instanceof Float32Array ? data : floatsOfHalves(data)
}

/** The f32 tensor of that name, or the bits of the f16 one; throws as `floats` does. */
export function floatsOrHalves(
  tensors: Tensors,
  name: string,
  shape: readonly number[],
): Float32Array | Uint16Array {
  const { data } = find(tensors, name, shape)
  if (data instanceof Float32Array || data instanceof Uint16Array) return data
  throw badReply(`tensor ${name} holds no floating-point numbers`)
}

/** The u8 tensor of that name; throws as `floats` does. */
export function bytes(tensors: Tensors, name: string, shape: readonly number[]): Uint8Array {
  const { data } = find(tensors, name, shape)
  if (data instanceof Uint8Array) return data
  throw badReply(`tensor ${name} holds no bytes`)
}

function find(tensors: Tensors, name: string, shape: readonly number[]): Tensor {
  const found = tensors[name]
  if (found === undefined) throw badReply(`tensor ${name} is missing`)
  if (found.shape.length === shape.length && found.shape.every((size, i) => size === shape[i])) return found
  throw badReply(`tensor ${name} has the shape [${found.shape.join(', ')}], not [${shape.join(', ')}]`)
}
