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

async function lastingOver(starts: (Worker | WorkerError)[], signal = new AbortController().signal) {
  const events: string[] = []
  const start = async () => {
    const next = starts.shift()
    if (next === undefined) throw new Error('the test has no more workers')
    if (next instanceof WorkerError) throw next
    return next
  }
  const lasting = await SupervisedWorker.start({ start, signal, onEvent: ({ kind }) => events.push(kind) })
  return { lasting, events }
}

describe('a lasting worker', () => {
  test('asks the next one again where one died', async () => {
    const { lasting, events } = await lastingOver([worker(true), worker(false)])
    expect((await lasting.request({ op: 'stats' })).head.forwards).toBe(7)
    expect(events).toEqual(['worker-ready', 'worker-lost', 'worker-ready'])
  })

  test('is restarted once for all the requests that it died over', async () => {
    const { lasting, events } = await lastingOver([worker(true), worker(false)])
    const answers = await Promise.all([1, 2, 3].map(() => lasting.request({ op: 'stats' })))
    expect(answers.length).toBe(3)
    expect(events).toEqual(['worker-ready', 'worker-lost', 'worker-ready'])
  })

  test('survives deaths before hello on a restart, but not on the first start', async () => {
    const { lasting } = await lastingOver([worker(true), lost(), lost(), worker(false)])
    expect((await lasting.request({ op: 'stats' })).head.forwards).toBe(7)
    await expect(lastingOver([lost(), worker(false)])).rejects.toMatchObject({ code: 'worker-lost' })
  })

  test('gives up at the fourth death in a row, and counts afresh after that', async () => {
    const starts = [worker(true), worker(true), lost(), worker(true), worker(true), worker(false)]
    const { lasting } = await lastingOver(starts)
    await expect(lasting.request({ op: 'stats' })).rejects.toThrow('4 times in a row')
    expect((await lasting.request({ op: 'stats' })).head.forwards).toBe(7)
  })

  test('passes on why a restart is impossible', async () => {
    const gone = new WorkerError('missing-checkpoint', 'There is no such folder.', 'Name another.')
    const { lasting } = await lastingOver([worker(true), gone])
    await expect(lasting.request({ op: 'stats' })).rejects.toBe(gone)
  })

  test('is not restarted once its signal is aborted', async () => {
    const controller = new AbortController()
    const starts = [worker(true), worker(false)]
    const { lasting, events } = await lastingOver(starts, controller.signal)
    controller.abort(new Error('enough'))
    await expect(lasting.request({ op: 'stats' })).rejects.toThrow('enough')
    expect(starts.length).toBe(1)
    expect(events).toEqual(['worker-ready'])
  })
})
