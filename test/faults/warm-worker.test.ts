import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { makeKey } from '../../src/bridge/keys.js'
import { placeOf, recordNames, type WarmWorker } from '../../src/bridge/registry.js'
import { askWarmWorker, startWarmWorker, stopWarmWorker } from '../../src/bridge/warm.js'
import { type Job, openSession, type Session, type WorkerEvent } from '../../src/engine/index.js'
import { Greedy } from '../engine/greedy.js'
import { python, tinyCheckpoint } from '../engine/tiny.js'
import { ended, privateTemporaryFolder, runs } from './processes.js'

const runtime = process.env.XDG_RUNTIME_DIR
delete process.env.XDG_RUNTIME_DIR
const temporary = privateTemporaryFolder()
const checkpoint = tinyCheckpoint()
const options = {
  checkpoint: checkpoint.folder,
  python,
  device: 'cpu',
  dtype: 'f32',
  slots: 4,
  idle: 600,
} as const
const pids: number[] = []
let warm: WarmWorker

async function start(changes: Partial<Parameters<typeof startWarmWorker>[0]> = {}): Promise<WarmWorker> {
  const started = await startWarmWorker({ ...options, name: 'warm', ...changes })
  pids.push(started.pid)
  return started
}

beforeAll(async () => {
  warm = await start()
})

afterAll(async () => {
  await stopWarmWorker('warm', undefined, true)
  for (const pid of pids) await ended(pid)
  expect(recordNames()).toEqual([])
  checkpoint.remove()
  temporary.leave()
  if (runtime !== undefined) process.env.XDG_RUNTIME_DIR = runtime
})

const connect = (images: number, onEvent?: (event: WorkerEvent) => void) =>
  openSession({
    checkpoint: checkpoint.folder,
    python,
    images,
    connect: { to: 'warm' },
    ...(onEvent && { onEvent }),
  })

/** The ids of a guided image. */
async function decoded(session: Session, prompt: string, onStep = () => {}): Promise<number[]> {
  const { image, layout } = session.model
  const greedy = new Greedy({ ...image, length: layout.length }, 3)
  const [tokenized] = await session.tokenize([prompt])
  const job: Job = { prompt: tokenized, guidance: 3, image: greedy }
  await session.run([job], { onStep })
  return [...greedy.tokens]
}

test('of two that are started under one name at once, one runs and the other is refused', async () => {
  const both = await Promise.allSettled([start({ name: 'twin' }), start({ name: 'twin' })])
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  const refused = both.find((one) => one.status === 'rejected')
  expect(refused?.reason).toMatchObject({ code: 'busy', remedy: expect.stringContaining('--name') })
  const running = both.find((one) => one.status === 'fulfilled')
  expect(running?.value.pid).toBe(pids.at(-1))
  expect(await askWarmWorker('twin')).toMatchObject({ leased: 0 })
  expect(runs(pids.at(-1) as number)).toBe(true)
  await stopWarmWorker('twin', undefined, false)
})

/** A process that decodes with one image's slots of the warm worker until it is killed. */
async function occupant() {
  const file = fileURLToPath(new URL('./parent.ts', import.meta.url))
  const words = ['--no-warnings', '--loader', 'ts-node/esm', file, checkpoint.folder, python, 'warm']
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return child
}

const leased = async () => (await askWarmWorker('warm')).leased

test('two runs share it, each as if it were alone, and leave it as it was', async () => {
  const prompts = ['red circle', 'blue square']
  const alone: number[][] = []
  for (const prompt of prompts) {
    const session = await connect(2)
    alone.push(await decoded(session, prompt))
    await session.close()
  }
  const sessions = [await connect(1), await connect(1)]
  expect(await leased()).toBe(4)
  expect(await Promise.all(sessions.map((session, i) => decoded(session, prompts[i])))).toEqual(alone)
  await Promise.all(sessions.map((session) => session.close()))
  await vi.waitFor(async () => expect(await leased()).toBe(0))
  expect(runs(warm.pid)).toBe(true)
})

test('a run that is killed frees its slots for one that waits', async () => {
  const killed = await occupant()
  const events: string[] = []
  const busy = new Promise<void>((resolve) => {
    void connect(2, ({ kind }) => {
      events.push(kind)
      if (kind === 'worker-busy') resolve()
    }).then((session) => session.close())
  })
  await busy
  expect(await leased()).toBe(2)
  killed.kill('SIGKILL')
  await vi.waitFor(() => expect(events).toEqual(['worker-busy', 'worker-ready']), { timeout: 60_000 })
})

test('a place for sockets whose path is too long is refused, and nothing is left', async () => {
  const before = process.env.TMPDIR
  process.env.TMPDIR = join(temporary.folder, 'x'.repeat(90))
  mkdirSync(process.env.TMPDIR)
  try {
    await expect(start({ name: 'deep' })).rejects.toMatchObject({
      code: 'bad-endpoint',
      remedy: expect.stringContaining('TMPDIR'),
    })
    expect(recordNames()).toEqual([])
  } finally {
    process.env.TMPDIR = before
  }
})

test('it is not stopped under a run, nor started twice', async () => {
  const session = await connect(1)
  await expect(stopWarmWorker('warm', undefined, false)).rejects.toMatchObject({ code: 'busy' })
  await session.close()
  await expect(startWarmWorker({ ...options, name: 'warm' })).rejects.toMatchObject({
    code: 'busy',
    message: expect.stringContaining(checkpoint.folder),
    remedy: expect.stringContaining('--connect warm'),
  })
})

test('killed in mid-run, it ends the run with a clear error, and its name can be used again', async () => {
  const session = await connect(1)
  const run = decoded(session, 'red circle', () => process.kill(warm.pid, 'SIGKILL'))
  await expect(run).rejects.toMatchObject({
    code: 'no-worker',
    message: expect.stringContaining('at warm'),
    remedy: expect.stringContaining('sjd2 worker start'),
  })
  await session.close()
  expect(existsSync(placeOf('warm').socket)).toBe(true)
  warm = await start()
  const again = await connect(2)
  expect(await decoded(again, 'red circle')).toHaveLength(24)
  await again.close()
})

test('it ends by itself when nobody uses it', async () => {
  const { pid } = await start({ name: 'brief', idle: 1e-3 })
  await ended(pid)
  await expect(stopWarmWorker('brief', undefined, false)).rejects.toMatchObject({
    code: 'no-worker',
    message:
      'No worker answers at brief: it has ended, because nobody had used it for 0.001 seconds (--idle).',
  })
  expect(existsSync(placeOf('brief').socket)).toBe(false)
  // forgotten by the next one of that name
  await stopWarmWorker((await start({ name: 'brief' })).name, undefined, false)
})

describe('for other machines', () => {
  const key = join(temporary.folder, 'key')
  const other = join(temporary.folder, 'other')
  makeKey(key)
  makeKey(other)

  async function freePort(): Promise<number> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    server.close()
    await once(server, 'close')
    return port
  }

  test('it needs a key', async () => {
    const listen = 'tcp://127.0.0.1:1'
    await expect(startWarmWorker({ ...options, name: 'far', listen })).rejects.toMatchObject({
      code: 'bad-endpoint',
      remedy: expect.stringContaining('--key'),
    })
    expect(recordNames()).toEqual(['warm'])
  })

  test('it lets in who holds the key, and nobody else', async () => {
    const listen = `tcp://127.0.0.1:${await freePort()}`
    await start({ name: 'far', listen, key })
    const open = (key: string | undefined) =>
      openSession({ checkpoint: checkpoint.folder, python, images: 1, connect: { to: listen, key } })
    const session = await open(key)
    expect(session.hello.memory).toBeUndefined() // its machine may be another
    expect(await decoded(session, 'red circle')).toHaveLength(24)
    await session.close()
    await expect(open(other)).rejects.toMatchObject({
      code: 'bad-endpoint',
      remedy: expect.stringContaining('--key'),
    })
    await expect(open(undefined)).rejects.toMatchObject({ code: 'bad-endpoint' })
    await stopWarmWorker('far', undefined, false)
  })

  test('the slots of a peer that falls silent are freed', async () => {
    const listen = `tcp://127.0.0.1:${await freePort()}`
    await start({ name: 'far', listen, key })
    const program = fileURLToPath(new URL('./parent.ts', import.meta.url))
    const loader = ['--no-warnings', '--loader', 'ts-node/esm']
    const peer = spawn(process.execPath, [...loader, program, checkpoint.folder, python, 'far'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      await once(peer.stdout, 'data')
      const leased = async () => (await askWarmWorker('far')).leased
      expect(await leased()).toBeGreaterThan(0)
      peer.kill('SIGSTOP')
      await vi.waitFor(async () => expect(await leased()).toBe(0), { timeout: 90_000, interval: 1000 })
    } finally {
      peer.kill('SIGKILL')
      await stopWarmWorker('far', undefined, true)
    }
  })
})
