import { decode, encode } from '@msgpack/msgpack'
import { badReply } from './error.js'
import type { SharedMemory } from './memory.js'
import type { Tensor as Descriptor, Request } from './messages.generated.js'
import { byteLength, describe, frameOf, type Tensors, tensorOf } from './tensor.js'

/** A message as it travels: the head in MessagePack, then the raw bytes of each tensor. */
export type Frames = readonly Uint8Array[]

/** The frames of a request; its tensors are not copied. */
export function encodeRequest(head: Omit<Request, 'tensors'>, tensors: Tensors): Uint8Array[] {
  const named = Object.entries(tensors)
  const descriptors = named.map(([name, value]) => describe(name, value))
  const whole = named.length > 0 ? { ...head, tensors: descriptors } : head
  return [encode(whole), ...named.map(([, value]) => frameOf(value))]
}

/**
 * The head of a message, not checked yet.
 * @throws WorkerError `bad-reply` when it is not MessagePack.
 */
export function decodeHead(frames: Frames): unknown {
  try {
    return decode(frames[0])
  } catch (error) {
    throw badReply(`a head that is not MessagePack (${String(error)})`)
  }
}

/**
 * The tensors of a message whose head has been checked: views of the frames where alignment allows, or what lies in the
 * shared memory.
 */
export function decodeTensors(
  descriptors: readonly Descriptor[],
  frames: Frames,
  memory?: SharedMemory,
): Tensors {
  const framed = descriptors.filter(({ at }) => at === undefined)
  if (frames.length !== framed.length + 1) {
    throw badReply(`${framed.length} tensors announced, ${frames.length - 1} sent`)
  }
  return Object.fromEntries(
    descriptors.map((descriptor) => {
      const { name, at } = descriptor
      if (at === undefined) return [name, tensorOf(descriptor, frames[framed.indexOf(descriptor) + 1])]
      if (memory === undefined) throw badReply(`tensor ${name} lies in a memory that is not shared`)
      return [name, tensorOf(descriptor, memory.read(at, byteLength(descriptor)))]
    }),
  )
}
