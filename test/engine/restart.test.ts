import { expect, test, vi } from 'vitest'
import { type Answer, type Ask, type Op, tensor, WorkerError } from '../../src/bridge/index.js'
import { openSession } from '../../src/engine/index.js'
import { FakeWorker, image } from './fake-worker.js'

/** With what each worker was started. */
const started = vi.hoisted(() => [] as { promptCells?: number }[])
const workers = vi.hoisted(() => [] as unknown[])

vi.mock('../../src/bridge/index.js', async (original) => ({
  ...(await original<object>()),
  startWorker: async (options: { promptCells?: number }) => {
    started.push(options)
    return workers.shift()
  },
}))

/** Answers all but forwards; dies over `stats` where it shall. */
class Worker extends FakeWorker {
  dies = false

  override async request<O extends Op>(ask: Ask<O>): Promise<Answer<O>> {
    if (ask.op === 'stats' && this.dies)
      throw new WorkerError('worker-lost', 'It was killed.', 'Start it again.')
    const { width } = this.hello.model
    const [table, mean] = [new Float32Array(image.count * width), new Float32Array(width)]
    const tensors = {
      table: tensor(table, [image.count, width]),
      mean: tensor(mean),
      deviation: tensor(mean),
    }
    return { head: { op: ask.op, promptCells: 48 }, tensors } as unknown as Answer<O>
  }
}

test.each([
  ['was started with', 20, 32],
  ['was given since', 40, 48],
])(
  'a worker that takes the place of one that died has the room for prompts that this %s',
  async (_, tokens, room) => {
    const [first, next] = [new Worker({ promptCells: 32 }), new Worker({ promptCells: 16 })]
    workers.splice(0, Infinity, first, next)
    const session = await openSession({ checkpoint: 'none', python: 'none' })
    await session.reserve(tokens)
    first.dies = true
    await session.stats()
    expect(started.at(-1)?.promptCells).toBe(room)
    await session.close()
  },
)
