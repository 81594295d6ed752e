import { describe, expect, test } from 'vitest'
import { type Answer, type Ask, type Op, type Worker, WorkerError } from '../../src/bridge/index.js'
import { SupervisedWorker } from '../../src/engine/supervised-worker.js'
import { helloOf } from './fake-worker.js'

function lost() {
  return new WorkerError('worker-lost', 'The worker was killed by SIGKILL.', 'Start it again.')
}

/** A worker that answers `stats`, or dies over it. */
function worker(dies: boolean): Worker {
  const request = async <O extends Op>(ask: Ask<O>) => {
    if (dies) throw lost()
    return { head: { op: ask.op, forwards: 7 }, tensors: {} } as unknown as Answer<O>
  }
  return { pid: 0, hello: helloOf({}), request, close: async () => {} }
}

async function supervisedOver(starts: (Worker | WorkerError)[], signal = new AbortController().signal) {
  const events: string[] = []
  const start = async () => {
    const next = starts.shift()
    if (next === undefined) throw new Error('the test has no more workers')
    if (next instanceof WorkerError) throw next
    return next
  }
  const supervised = await SupervisedWorker.start({ start, signal, onEvent: ({ kind }) => events.push(kind) })
  return { supervised, events }
}

describe('a supervised worker', () => {
  test('asks the next one again where one died', async () => {
    const { supervised, events } = await supervisedOver([worker(true), worker(false)])
    expect((await supervised.request({ op: 'stats' })).head.forwards).toBe(7)
    expect(events).toEqual(['worker-ready', 'worker-lost', 'worker-ready'])
  })

  test('is restarted once for all the requests that it died over', async () => {
    const { supervised, events } = await supervisedOver([worker(true), worker(false)])
    const answers = await Promise.all([1, 2, 3].map(() => supervised.request({ op: 'stats' })))
    expect(answers.length).toBe(3)
    expect(events).toEqual(['worker-ready', 'worker-lost', 'worker-ready'])
  })

  test('survives deaths before hello on a restart, but not on the first start', async () => {
    const { supervised } = await supervisedOver([worker(true), lost(), lost(), worker(false)])
    expect((await supervised.request({ op: 'stats' })).head.forwards).toBe(7)
    await expect(supervisedOver([lost(), worker(false)])).rejects.toMatchObject({ code: 'worker-lost' })
  })

  test('gives up at the fourth death in a row, and counts afresh after that', async () => {
    const starts = [worker(true), worker(true), lost(), worker(true), worker(true), worker(false)]
    const { supervised } = await supervisedOver(starts)
    await expect(supervised.request({ op: 'stats' })).rejects.toThrow('4 times in a row')
    expect((await supervised.request({ op: 'stats' })).head.forwards).toBe(7)
  })

  test('passes on why a restart is impossible', async () => {
    const gone = new WorkerError('missing-checkpoint', 'There is no such folder.', 'Name another.')
    const { supervised } = await supervisedOver([worker(true), gone])
    await expect(supervised.request({ op: 'stats' })).rejects.toBe(gone)
  })

  test('is not restarted once its signal is aborted', async () => {
    const controller = new AbortController()
    const starts = [worker(true), worker(false)]
    const { supervised, events } = await supervisedOver(starts, controller.signal)
    controller.abort(new Error('enough'))
    await expect(supervised.request({ op: 'stats' })).rejects.toThrow('enough')
    expect(starts.length).toBe(1)
    expect(events).toEqual(['worker-ready'])
  })
})

describe('a worker that is there after a death', () => {
  const { model } = helloOf({})
  test.each([
    ['another checkpoint', { model: { ...model, hash: 'other' } }, 'checkpoint other instead of same'],
    ['another dtype', { dtype: 'bf16' }, 'dtype bf16 instead of f32'],
    ['another device', { device: 'NVIDIA H200' }, 'device NVIDIA H200 instead of none'],
    ['another torch', { torch: '9.9' }, 'torch 9.9 instead of none'],
    ['fewer slots', { slots: 7 }, '7 slots instead of 8'],
  ] as const)('is refused with %s', async (_, changes, words) => {
    const other = { ...worker(false), hello: helloOf(changes) }
    const { supervised } = await supervisedOver([worker(true), other])
    await expect(supervised.request({ op: 'stats' })).rejects.toMatchObject({
      code: 'wrong-config',
      message: expect.stringContaining(words),
    })
  })

  test('is taken on with more slots', async () => {
    const { supervised } = await supervisedOver([
      worker(true),
      { ...worker(false), hello: helloOf({ slots: 9 }) },
    ])
    expect((await supervised.request({ op: 'stats' })).head.forwards).toBe(7)
  })
})
