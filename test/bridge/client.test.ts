import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode, encode } from '@msgpack/msgpack'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Router } from 'zeromq'
import { version } from '../../setup/installation.mjs'
import { type Client, connectClient } from '../../src/bridge/client.js'
import { WorkerError } from '../../src/bridge/error.js'
import type { Request } from '../../src/bridge/messages.generated.js'
import { tensor } from '../../src/bridge/tensor.js'
import { greet } from '../../src/bridge/worker.js'

let folder: string
let router: Router
let client: Client

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'test-'))
  router = new Router({ linger: 0 })
  client = connectClient(`ipc://${folder}/socket`)
  await router.bind(`ipc://${folder}/socket`)
})

afterEach(() => {
  client.close(new WorkerError('worker-lost', 'The test is over.', ''))
  router.close()
  rmSync(folder, { recursive: true })
})

async function received() {
  const [sender, head, ...tensors] = await router.receive()
  return { sender, head: decode(head) as Request & { prompts?: string[] }, tensors }
}

function prompt(word: string) {
  return { conditional: [word.length], unconditional: [0], unknown: [word] }
}

test('replies find their requests, in whatever order they come', async () => {
  const asked = ['a', 'bb', 'ccc'].map((word) => client.request({ op: 'tokenize', prompts: [word] }))
  const requests = [await received(), await received(), await received()]
  for (const { sender, head } of requests.reverse()) {
    const prompts = (head.prompts as string[]).map(prompt)
    await router.send([sender, encode({ op: 'tokenize', id: head.id, ok: true, prompts })])
  }
  const answers = await Promise.all(asked)
  expect(answers.map(({ head }) => head.prompts)).toEqual([[prompt('a')], [prompt('bb')], [prompt('ccc')]])
})

test('tensors travel both ways, large ones and empty ones', async () => {
  const codes = tensor(
    Int32Array.from({ length: 10_000 }, (_, i) => i - 5000),
    [10, 1000],
  )
  const asked = client.request({ op: 'decode' }, { codes, none: tensor(new Float32Array(), [0, 4]) })
  const { sender, head, tensors } = await received()
  expect(head).toMatchObject({
    tensors: [
      { name: 'codes', dtype: 'i32', shape: [10, 1000] },
      { name: 'none', dtype: 'f32', shape: [0, 4] },
    ],
  })
  expect(tensors.map(({ length }) => length)).toEqual([40_000, 0])
  const descriptors = [{ name: 'pictures', dtype: 'i32', shape: [10_000] }]
  await router.send([
    sender,
    encode({ op: 'decode', id: head.id, ok: true, tensors: descriptors }),
    tensors[0],
  ])
  expect((await asked).tensors.pictures.data).toEqual(codes.data)
})

test('an error of the worker rejects the request that it answers, and no other', async () => {
  const refused = client.request({ op: 'stats' })
  const next = client.request({ op: 'shutdown' })
  const { sender, head } = await received()
  const error = { code: 'too-large', message: 'Too much.', remedy: 'Send less.' }
  await router.send([sender, encode({ op: 'error', id: head.id, ok: false, ...error })])
  await expect(refused).rejects.toMatchObject({ name: 'WorkerError', ...error })
  const { head: second } = await received()
  await router.send([sender, encode({ op: 'shutdown', id: second.id, ok: true })])
  expect((await next).head.ok).toBe(true)
})

test.each([
  ['another operation', (id: number) => ({ op: 'shutdown', id, ok: true })],
  ['a missing field', (id: number) => ({ op: 'stats', id, ok: true, forwards: 1 })],
  [
    'an unknown error code',
    (id: number) => ({ op: 'error', id, ok: false, code: 'x', message: '', remedy: '' }),
  ],
])('a reply that the schema does not allow rejects: %s', async (_, reply) => {
  const asked = client.request({ op: 'stats' })
  const { sender, head } = await received()
  await router.send([sender, encode(reply(head.id))])
  await expect(asked).rejects.toMatchObject({ code: 'bad-reply' })
})

test.each([
  ['no MessagePack', Uint8Array.of(0xc1)],
  ['no map', encode(null)],
  [
    'an answer to nothing',
    encode({ op: 'error', id: 0, ok: false, code: 'bad-message', message: 'x', remedy: 'y' }),
  ],
])('a reply that belongs to no request rejects all that wait: %s', async (_, frame) => {
  const asked = [client.request({ op: 'stats' }), client.request({ op: 'stats' })]
  const { sender } = await received()
  await router.send([sender, frame])
  for (const one of asked) await expect(one).rejects.toMatchObject({ code: 'bad-reply' })
})

test('closing rejects what is in flight and what is asked later', async () => {
  const lost = new WorkerError('worker-lost', 'The worker was killed by SIGKILL.', '')
  const asked = client.request({ op: 'stats' })
  client.close(lost)
  await expect(asked).rejects.toBe(lost)
  await expect(client.request({ op: 'stats' })).rejects.toBe(lost)
})

test('a request that is not answered in time rejects as if the worker were dead; hello waits for as long as loading takes', async () => {
  const hasty = connectClient(`ipc://${folder}/socket`, { timeout: 0.05 })
  let greeted = false
  const hello = hasty.request({ op: 'hello', protocol: 1, memory: false }).finally(() => {
    greeted = true
  })
  hello.catch(() => {})
  await expect(hasty.request({ op: 'stats' })).rejects.toMatchObject({
    code: 'worker-lost',
    message: expect.stringContaining('not answered stats for 0.05 seconds'),
  })
  expect(greeted).toBe(false)
  hasty.close(new WorkerError('worker-lost', 'The test is over.', ''))
})

test.each([
  ['ipc:///tmp/'.padEnd(200, 'x'), 'TMPDIR'],
  ['tcp://nowhere', 'tcp://HOST:PORT'],
])('an endpoint that there cannot be is refused with what to do: %s', (endpoint, remedy) => {
  expect(() => connectClient(endpoint)).toThrow(
    expect.objectContaining({ code: 'bad-endpoint', remedy: expect.stringContaining(remedy) }),
  )
})

describe('a hello', () => {
  const golden = JSON.parse(
    readFileSync(new URL('../../protocol/golden/hello-reply.json', import.meta.url), 'utf8'),
  )
  const { memory: _, ...hello } = golden.head

  async function greeted(worker: string) {
    const reply = greet(client)
    const { sender, head } = await received()
    await router.send([sender, encode({ ...hello, id: head.id, worker })])
    return reply
  }
  const [major, minor] = version.split('.').map(Number)

  test('of a worker whose version has other major or minor numbers is refused', async () => {
    for (const other of [`${major}.${minor + 1}.0`, `${major + 1}.${minor}.0`, `${major}.${minor}1.0`]) {
      await expect(greeted(other)).rejects.toMatchObject({
        code: 'worker-version',
        message: expect.stringContaining(`version ${other}, this program of version ${version}`),
      })
    }
  })

  test('of a worker that is a patch ahead is taken', async () => {
    expect((await greeted(`${major}.${minor}.99`)).worker).toBe(`${major}.${minor}.99`)
  })
})
