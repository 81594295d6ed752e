import { cpSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { SharedMemory } from '../../src/bridge/memory.js'
import { PROTOCOL } from '../../src/bridge/messages.js'
import { startWorker } from '../../src/bridge/worker.js'
import { openSession } from '../../src/engine/index.js'
import { python, tinyCheckpoint } from '../engine/tiny.js'
import { privateTemporaryFolder, script } from './processes.js'

const temporary = privateTemporaryFolder()
const checkpoint = tinyCheckpoint()

afterAll(() => {
  checkpoint.remove()
  expect(readdirSync(temporary.folder).filter((name) => name.startsWith('sjd2-'))).toEqual([])
  temporary.leave()
})

/** A copy of the checkpoint, damaged. */
function damaged(name: string, damage: (folder: string) => void): string {
  const folder = join(temporary.folder, name)
  cpSync(checkpoint.folder, folder, { recursive: true })
  damage(folder)
  return folder
}

/** An interpreter that is a shell script. */
function interpreter(name: string, ...lines: string[]): string {
  return script(join(temporary.folder, name), ...lines)
}

describe('a Python', () => {
  const open = (interpreter: string) =>
    openSession({ checkpoint: checkpoint.folder, python: interpreter, images: 1 })

  test.each(['no-such-python', '/no/such/python', './no/such/python', temporary.folder])(
    '%s cannot be started',
    async (name) => {
      await expect(open(name)).rejects.toMatchObject({
        code: 'no-python',
        message: expect.stringContaining(name.replace(/^\./, '')),
        remedy: expect.stringContaining('--python'),
      })
    },
  )

  test('without torch is said to lack it', async () => {
    const bare = interpreter('bare', `exec "${python}" -S "$@"`)
    await expect(open(bare)).rejects.toMatchObject({
      code: 'wrong-torch',
      remedy: expect.stringMatching(/./),
    })
  })

  test('that ends without a word is said to have ended, with what it printed', async () => {
    const broken = interpreter('broken', 'echo "no such instruction" >&2', 'exit 132')
    await expect(open(broken)).rejects.toMatchObject({
      code: 'worker-lost',
      message: 'The worker ended with exit code 132; the last that it wrote:\nno such instruction',
    })
  })
})

describe('a checkpoint', () => {
  const open = (folder: string) => openSession({ checkpoint: folder, python, images: 1 })

  test('that is not there is said to be missing', async () => {
    const fate = open(join(temporary.folder, 'nowhere'))
    await expect(fate).rejects.toMatchObject({
      code: 'missing-checkpoint',
      message: expect.stringContaining('nowhere'),
    })
  })

  test('that is cut short is said to be corrupt, with the file', async () => {
    const folder = damaged('short', (copy) => truncateSync(join(copy, 'model.safetensors'), 5000))
    await expect(open(folder)).rejects.toMatchObject({
      code: 'corrupt-checkpoint',
      message: expect.stringContaining('model.safetensors'),
    })
  })

  test('of an unknown family is refused', async () => {
    const folder = damaged('strange', (copy) =>
      writeFileSync(join(copy, 'config.json'), '{"family": "strange"}'),
    )
    await expect(open(folder)).rejects.toMatchObject({ code: 'wrong-family' })
  })

  test('without weights is said to be missing them', async () => {
    const folder = damaged('empty', (copy) => rmSync(join(copy, 'model.safetensors')))
    await expect(open(folder)).rejects.toMatchObject({ code: 'missing-checkpoint' })
  })
})

const options = { checkpoint: checkpoint.folder, python, device: 'cpu', dtype: 'f32', slots: 1 } as const

test.runIf(process.platform === 'linux')('a worker’s memory is found by what its hello says', async () => {
  const worker = await startWorker(options)
  const memory = SharedMemory.open(worker.hello)
  await worker.close()
  expect(memory).toBeDefined()
  memory?.close()
})

describe('another version of the protocol', () => {
  test('is refused by the worker', async () => {
    const worker = await startWorker(options)
    const hello = worker.request({ op: 'hello', protocol: PROTOCOL + 1 })
    await expect(hello).rejects.toMatchObject({ code: 'protocol-version' }).finally(worker.close)
  })

  test('is refused by this side, and the worker is ended', async () => {
    const future = join(temporary.folder, 'future.py')
    writeFileSync(future, futureWorker)
    const pretender = interpreter('future', `exec "${python}" "${future}" "$@"`)
    await expect(openSession({ checkpoint: checkpoint.folder, python: pretender })).rejects.toMatchObject({
      code: 'protocol-version',
      message: expect.stringContaining(`version ${PROTOCOL + 1}`),
    })
  })
})

/** Says hello as the golden reply does, in a later version of the protocol. */
const futureWorker = `
import json, sys, msgpack, zmq
hello = json.load(open("../protocol/golden/hello-reply.json"))["head"]
socket = zmq.Context().socket(zmq.ROUTER)
socket.bind(sys.argv[sys.argv.index("--endpoint") + 1])
while True:
    sender, head = socket.recv_multipart()
    reply = {**hello, "id": msgpack.unpackb(head)["id"], "protocol": ${PROTOCOL + 1}}
    socket.send_multipart([sender, msgpack.packb(reply)])
`
