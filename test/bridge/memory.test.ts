import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { decodeTensors } from '../../src/bridge/codec.js'
import { SharedMemory } from '../../src/bridge/memory.js'
import { tensor } from '../../src/bridge/tensor.js'
import { helloOf } from '../engine/fake-worker.js'

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'test-'))
  path = join(folder, 'memory')
})

afterEach(() => rmSync(folder, { recursive: true }))

const mark = '0f8fad5bd9cb469fa16570867728950e'

/** The mark, and what lies behind it. */
const marked = (content: Uint8Array) => Buffer.concat([Buffer.from(mark), content])

function opened(content: Uint8Array): SharedMemory {
  writeFileSync(path, marked(content))
  return SharedMemory.open(helloOf({ memory: { path, mark } })) as SharedMemory
}

/** Room for the logits of so many rows of 8 codes, in f32. */
const reserve = (memory: SharedMemory, rows: number) =>
  memory.reserve({ op: 'forward', lanes: [], logits: 'f32' }, { rows: tensor(new Int32Array(rows)) })

test('there is none where the worker names none, or none that is here', () => {
  expect(SharedMemory.open(helloOf({}))).toBeUndefined()
  expect(SharedMemory.open(helloOf({ memory: { path: join(folder, 'elsewhere'), mark } }))).toBeUndefined()
})

test.each([
  ['another worker’s memory', () => writeFileSync(path, marked(Uint8Array.of(1)).reverse())],
  ['a shorter file', () => writeFileSync(path, mark.slice(1))],
  ['a folder', () => mkdirSync(path)],
  ['a pipe', () => execFileSync('mkfifo', [path])],
])(
  'it is not shared where its path names %s, as in a container that counts processes for itself',
  (_, make) => {
    make()
    expect(SharedMemory.open(helloOf({ memory: { path, mark } }))).toBeUndefined()
  },
)

test('requests in flight have regions of their own, which are used again', () => {
  const memory = opened(new Uint8Array(1))
  expect([reserve(memory, 2), reserve(memory, 128), reserve(memory, 1)]).toEqual([4096, 8192, 12288])
  memory.release(8192)
  expect(reserve(memory, 3)).toBe(8192)
  memory.close()
})

test('what does not fit beside others goes through the socket, until these are there', () => {
  const memory = opened(new Uint8Array(1))
  expect(reserve(memory, 0)).toBeUndefined()
  expect([reserve(memory, 1), reserve(memory, 129)]).toEqual([4096, undefined])
  memory.release(4096)
  expect([reserve(memory, 129), reserve(memory, 1)]).toEqual([4096, 12288])
  memory.close()
})

test('tensors are read from where they lie, and stay when the memory changes', () => {
  const memory = opened(new Uint8Array(Float32Array.of(1, 2, 3, 4, 5).buffer))
  const descriptors = [
    { name: 'there', dtype: 'f32', shape: [2], at: 40 },
    { name: 'here', dtype: 'u8', shape: [1] },
  ] as const
  const { there, here } = decodeTensors(
    descriptors.map((one) => ({ ...one, shape: [...one.shape] })),
    [new Uint8Array(), Uint8Array.of(7)],
    memory,
  )
  writeFileSync(path, new Uint8Array(52))
  expect([...there.data]).toEqual([3, 4])
  expect([...here.data]).toEqual([7])
  expect(() => memory.read(48, 8)).toThrow('ends before byte 56')
  memory.close()
})

test('what was read into is read into again when it is taken back, once, and not before', () => {
  const memory = opened(Uint8Array.from({ length: 5000 }, (_, i) => i))
  reserve(memory, 64)
  const read = (at: number, length: number) => tensor(memory.read(mark.length + at, length))
  const [first, second] = [read(0, 8), read(8, 8)]
  expect(first.data.buffer).not.toBe(second.data.buffer)
  for (let turn = 0; turn < 2; turn++) memory.takeBack({ second, framed: tensor(new Uint8Array(4096)) })
  const third = read(16, 4)
  expect(third.data.buffer).toBe(second.data.buffer)
  expect([...third.data]).toEqual([16, 17, 18, 19])
  expect([...first.data]).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  expect(read(0, 8).data.buffer).not.toBe(second.data.buffer)
  memory.takeBack({ first, third })
  expect([...read(0, 4500).data.subarray(4000, 4003)]).toEqual([160, 161, 162])
  memory.close()
})

test('a tensor in a memory that nobody shares is a fault', () => {
  const descriptor = { name: 'there', dtype: 'f32' as const, shape: [2], at: 8 }
  expect(() => decodeTensors([descriptor], [new Uint8Array()])).toThrow('not shared')
})
