import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { decodeHead, decodeTensors, encodeRequest } from '../../src/bridge/codec.js'
import { floatsOfHalves } from '../../src/bridge/half.js'
import type { Tensor as Descriptor, Message, Request } from '../../src/bridge/messages.generated.js'
import { type Op, PROTOCOL } from '../../src/bridge/messages.js'
import { checkedReply, headFault } from '../../src/bridge/schema.js'

interface Golden {
  readonly head: Message & { tensors?: Descriptor[] }
  readonly frames: string[]
  readonly values: Record<string, number[]>
}

const folder = new URL('../../protocol/golden/', import.meta.url)
const names = readdirSync(folder).flatMap((file) => (file.endsWith('.json') ? [file.slice(0, -5)] : []))

function golden(name: string) {
  const { head, frames, values }: Golden = JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'))
  return { head, values, frames: frames.map((frame) => Uint8Array.from(Buffer.from(frame, 'base64'))) }
}

function numbers(tensors: ReturnType<typeof decodeTensors>) {
  const values = Object.entries(tensors).map(([name, { data }]) => {
    return [name, [...(data instanceof Uint16Array ? floatsOfHalves(data) : data)]]
  })
  return Object.fromEntries(values)
}

describe('golden messages', () => {
  test('there is one of every kind', () => {
    const schema = JSON.parse(readFileSync(new URL('../schema.json', folder), 'utf8'))
    const kinds = Object.keys(schema.definitions).filter((name) => /.(Request|Reply)$/.test(name))
    const heads = names.map((name) => golden(name).head)
    const there = heads.map(
      (head) => `${head.op[0].toUpperCase()}${head.op.slice(1)}${'ok' in head ? 'Reply' : 'Request'}`,
    )
    expect(new Set(there)).toEqual(new Set(kinds))
  })

  test.each(names)('%s is decoded to what it means', (name) => {
    const { head, frames, values } = golden(name)
    expect(decodeHead(frames)).toEqual(head)
    expect(headFault('ok' in head ? 'Reply' : 'Request', head)).toBeUndefined()
    expect(numbers(decodeTensors(head.tensors ?? [], frames))).toEqual(values)
  })

  test.each(names.filter((name) => name.endsWith('-reply')))('%s is accepted as a reply', (name) => {
    const { head } = golden(name)
    expect(checkedReply(head.op === 'error' ? 'forward' : (head.op as Op), head)).toBe(head)
    expect(() => checkedReply('hello', { ...head, op: 'nonsense' })).toThrowError('HelloReply')
  })

  test.each(names.filter((name) => name.endsWith('-request')))(
    '%s means the same when this side encodes it',
    (name) => {
      const { head, frames, values } = golden(name)
      const { tensors, ...rest } = head as Request & { tensors?: Descriptor[] }
      const sent = encodeRequest(rest, decodeTensors(tensors ?? [], frames))
      const again = decodeHead(sent) as { tensors?: Descriptor[] }
      expect(again).toEqual(head)
      expect(headFault('Request', again)).toBeUndefined()
      expect(numbers(decodeTensors(again.tensors ?? [], sent))).toEqual(values)
    },
  )

  test('hello carries the version that this side speaks', () => {
    expect([golden('hello-request').head, golden('hello-reply').head]).toMatchObject([
      { protocol: PROTOCOL },
      { protocol: PROTOCOL },
    ])
  })
})
