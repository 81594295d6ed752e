import { decode, encode } from '@msgpack/msgpack'
import { badReply } from './error.js'
import type { Tensor as Descriptor, Request } from './messages.generated.js'
import { describe, frameOf, type Tensors, tensorOf } from './tensor.js'

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

/** The tensors of a message whose head has been checked; views of the frames where alignment allows. */
export function decodeTensors(descriptors: readonly Descriptor[], frames: Frames): Tensors {
  if (frames.length !== descriptors.length + 1) {
    throw badReply(`${descriptors.length} tensors announced, ${frames.length - 1} sent`)
  }
  return Object.fromEntries(descriptors.map((d, i) => [d.name, tensorOf(d, frames[i + 1])]))
}
