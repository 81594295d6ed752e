import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { openSession, type Session, type WorkerEvent } from '../../src/engine/index.js'
import { Greedy } from '../engine/greedy.js'
import { python, tinyCheckpoint } from '../engine/tiny.js'
import { ended, privateTemporaryFolder, runs } from './processes.js'

const temporary = privateTemporaryFolder()
const checkpoint = tinyCheckpoint()

afterAll(() => {
  checkpoint.remove()
  temporary.leave()
})

function sockets() {
  return readdirSync(temporary.folder).filter((name) => name.startsWith('sjd2-'))
}

/** A session, the pid of its worker, and a run without end on it. */
async function endlessRun(signal?: AbortSignal) {
  let pid = 0
  const onEvent = (event: WorkerEvent) => {
    if (event.kind === 'worker-ready') pid = event.pid as number
  }
  const options = { checkpoint: checkpoint.folder, python, images: 1, onEvent }
  const session = await openSession(signal ? { ...options, signal } : options)
  expect(runs(pid)).toBe(true)
  // the socket's address has served its purpose once the connection stands
  expect(sockets()).toEqual([])
  return { session, pid, run: (onStep: () => void) => session.run(endlessJobs(session), { onStep }) }
}

function* endlessJobs(session: Session) {
  const { image, layout } = session.model
  const prompt = { conditional: [1, 2], unconditional: [0, 2], unknown: [] }
  for (;;) yield { prompt, guidance: 3, image: new Greedy({ ...image, length: layout.length }, 0) }
}

describe('no worker and no socket is left', () => {
  test('by a session that is closed in mid-run', async () => {
    const { session, pid, run } = await endlessRun()
    const closed: Promise<void>[] = []
    await expect(run(() => closed.push(session.close()))).rejects.toThrow('The session is closed.')
    await Promise.all(closed)
    expect(runs(pid)).toBe(false)
    await expect(session.tokenize(['red'])).rejects.toThrow('The session is closed.')
  })

  test('by a session that is aborted in mid-run', async () => {
    const controller = new AbortController()
    const { session, pid, run } = await endlessRun(controller.signal)
    const reason = new Error('Ctrl-C')
    await expect(run(() => controller.abort(reason))).rejects.toBe(reason)
    await session.close()
    expect(runs(pid)).toBe(false)
  })

  test('by a session that is aborted while it opens', async () => {
    const controller = new AbortController()
    const reason = new Error('Ctrl-C')
    const opening = openSession({ checkpoint: checkpoint.folder, python, signal: controller.signal })
    expect(sockets().length).toBe(1)
    controller.abort(reason)
    await expect(opening).rejects.toBe(reason)
    expect(sockets()).toEqual([])
    await expect(
      openSession({ checkpoint: checkpoint.folder, python, signal: controller.signal }),
    ).rejects.toBe(reason)
  })

  test.each(['SIGKILL', 'SIGINT'] as const)('by a parent that dies of %s', async (signal) => {
    const parent = spawn(
      process.execPath,
      [
        '--no-warnings',
        '--loader',
        'ts-node/esm',
        fileURLToPath(new URL('./parent.ts', import.meta.url)),
        checkpoint.folder,
        python,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const [line] = await once(parent.stdout, 'data')
    const pid = Number(line)
    expect(runs(pid)).toBe(true)
    parent.kill(signal)
    await once(parent, 'exit')
    await ended(pid)
    expect(sockets()).toEqual([])
  })
})
