import { describe, expect, test } from 'vitest'
import { type Answer, type Ask, type Op, type Tensors, tensor, WorkerError } from '../../src/bridge/index.js'
import type { Decodable } from '../../src/decoding/pass.js'
import { Engine, type EngineOptions } from '../../src/engine/engine.js'
import type { Job, JobStatistics } from '../../src/engine/index.js'
import { SupervisedWorker } from '../../src/engine/supervised-worker.js'
import { expectedImage, FakeWorker, image } from './fake-worker.js'
import { Greedy } from './greedy.js'

const model = { ...image, length: 12 }

type GreedyJob = Job & { readonly image: Greedy }

function job(number: number, guidance = 1): GreedyJob {
  const prompt = { conditional: [1 + number, 2], unconditional: [0], unknown: [] }
  return { prompt, guidance, image: new Greedy(model, 3) }
}

function expectRight({ prompt, guidance, image }: GreedyJob) {
  expect([...image.tokens]).toEqual(expectedImage(prompt, guidance))
}

function supervised(workers: FakeWorker[], signal = new AbortController().signal) {
  return SupervisedWorker.start({ start: async () => workers.shift() as FakeWorker, signal, onEvent() {} })
}

async function engineOf(workers: FakeWorker[], options: EngineOptions = {}) {
  return new Engine(await supervised(workers), options)
}

/** Ids over the whole layout, all of one code. */
const ofCode = (code: number) => new Int32Array(model.length).fill(model.first + code)

/** A decodable that fails: when its pass is planned, while that is forwarded, or when its logits are there. */
function broken(where: 'plan' | 'prepare' | 'advance'): Job {
  const image: Decodable = new Greedy(model, 3)
  image[where] = () => {
    throw new Error(`broken ${where}`)
  }
  return { ...job(5), image }
}

/** A worker that takes its time, in which images prepare. */
class SlowWorker extends FakeWorker {
  override async request<O extends Op>(ask: Ask<O>, tensors?: Tensors): Promise<Answer<O>> {
    for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate)
    return super.request(ask, tensors)
  }
}

/** A worker that answers only when it is let. */
class HeldWorker extends FakeWorker {
  readonly asked: Ask<Op>[] = []
  #held: (() => void)[] = []

  override async request<O extends Op>(ask: Ask<O>, tensors?: Tensors): Promise<Answer<O>> {
    this.asked.push(ask)
    await new Promise<void>((resolve) => this.#held.push(resolve))
    if (ask.op !== 'decode') return super.request(ask, tensors)
    const { width, height } = this.hello.model.picture
    const rgb = new Uint8Array(3 * width * height).fill(tensors!.codes.data[0])
    return {
      head: { op: 'decode' },
      tensors: { pictures: tensor(rgb, [1, height, width, 3]) },
    } as unknown as Answer<O>
  }

  /** Lets the worker answer what it was asked first, when it has been asked. */
  async answer(): Promise<void> {
    while (this.#held.length === 0) await new Promise(setImmediate)
    this.#held.shift()?.()
    for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate)
  }
}

describe('an image that is submitted', () => {
  test('is decoded, and tells what it cost', async () => {
    const engine = await engineOf([new FakeWorker()])
    const one = job(1, 3)
    const { passes } = await engine.submit(one).done
    expect(passes).toBe(one.image.passes)
    expectRight(one)
  })

  test('joins others that are being decoded, at the next pass', async () => {
    const worker = new HeldWorker()
    const engine = await engineOf([worker])
    const [first, second] = [job(1), job(2)]
    engine.submit(first)
    await worker.answer()
    expect(first.image.passes).toBe(1)
    engine.submit(second)
    await worker.answer()
    await worker.answer()
    await worker.answer()
    expect(second.image.passes).toBeGreaterThan(0)
    expect(first.image.done).toBe(false)
  })

  test('tells of each of its passes to whoever reads its steps', async () => {
    const engine = await engineOf([new FakeWorker()])
    const one = job(1)
    const steps: JobStatistics[] = []
    for await (const step of engine.submit(one).steps) steps.push(step)
    expect(steps.map(({ passes }) => passes)).toEqual(steps.map((_, i) => i + 1))
    expect(steps.length).toBe(one.image.passes)
  })

  test('is refused where as many wait as may', async () => {
    const engine = await engineOf([new FakeWorker({ slots: 1 })], { queue: 2 })
    const submissions = [1, 2].map((number) => engine.submit(job(number)))
    expect(() => engine.submit(job(3))).toThrowError(expect.objectContaining({ code: 'queue-full' }))
    await submissions[0].done
    const third = job(3)
    await engine.submit(third).done
    expectRight(third)
    await submissions[1].done
  })

  test('is decoded beside runs, of which there may be several', async () => {
    const engine = await engineOf([new FakeWorker({ slots: 3 })])
    const jobs = Array.from({ length: 9 }, (_, i) => job(i, [1, 3][i % 2]))
    await Promise.all([
      engine.run(jobs.slice(0, 4)),
      engine.run(jobs.slice(4, 8)),
      engine.submit(jobs[8]).done,
    ])
    jobs.forEach(expectRight)
  })
})

describe('an image that is cancelled', () => {
  test('ends with the reason, and others take its slots', async () => {
    const worker = new HeldWorker({ slots: 2 })
    const engine = await engineOf([worker])
    const [first, second] = [job(1, 3), job(2, 3)]
    const submission = engine.submit(first)
    const waiting = engine.submit(second)
    await worker.answer()
    const reason = new Error('the client hung up')
    submission.cancel(reason)
    await expect(submission.done).rejects.toBe(reason)
    const { passes } = first.image
    let ended = false
    void waiting.done.then(() => {
      ended = true
    })
    while (!ended) await worker.answer()
    expect(first.image.passes).toBe(passes)
    expectRight(second)
  })

  test('while it waits is never begun', async () => {
    const engine = await engineOf([new FakeWorker({ slots: 1 })])
    const [first, second] = [job(1), job(2)]
    const running = engine.submit(first)
    engine.submit(second).cancel()
    await running.done
    expect(second.image.passes).toBe(0)
  })

  test('ends its steps with the reason', async () => {
    const worker = new HeldWorker()
    const engine = await engineOf([worker])
    const submission = engine.submit(job(1))
    const read = (async () => {
      for await (const { passes } of submission.steps)
        if (passes === 2) submission.cancel(new Error('enough'))
    })()
    void read.catch(() => {})
    await worker.answer()
    await worker.answer()
    await expect(read).rejects.toThrow('enough')
  })
})

describe("one image's failure is its own", () => {
  test.each(['plan', 'prepare', 'advance'] as const)('where it throws in %s', async (where) => {
    const engine = await engineOf([new SlowWorker()])
    const good = [job(1), job(2, 3)]
    const failed: [Job, unknown][] = []
    const bad = broken(where)
    await engine.run([good[0], bad, good[1]], { onFailed: (job, error) => failed.push([job, error]) })
    good.forEach(expectRight)
    expect(failed).toEqual([[bad, new Error(`broken ${where}`)]])
  })

  test('and a run that does not listen to failures ends with it, when the others are done', async () => {
    const engine = await engineOf([new FakeWorker()])
    const good = job(1)
    await expect(engine.run([broken('plan'), good])).rejects.toThrow('broken plan')
    expectRight(good)
  })

  test('where it plans a pass of nothing', async () => {
    const engine = await engineOf([new FakeWorker()])
    const good = job(1)
    const bad = job(2)
    const none = { ...bad.image.plan(), tokens: new Int32Array(), positions: new Int32Array() }
    bad.image.plan = () => ({ ...none, rows: new Int32Array() })
    const [fails, succeeds] = [engine.submit(bad), engine.submit(good)]
    await expect(fails.done).rejects.toThrow('a pass without entries')
    await succeeds.done
    expectRight(good)
  })

  /** Refuses passes whose anchor is 7. */
  class Choosy extends FakeWorker {
    override async request<O extends Op>(ask: Ask<O>, tensors?: Tensors): Promise<Answer<O>> {
      const { lanes } = ask as unknown as Ask<'forward'>
      if (lanes.some(({ branches, rows }) => rows > 0 && branches[0].anchor === 7))
        throw new WorkerError('bad-token', 'It does not know 7.', 'Send another.')
      // such images may be tried again only so often
      if (this.forwards.length > 200) throw new Error('The engine tries for ever.')
      return super.request(ask, tensors)
    }
  }

  test('where the worker refuses a forward that it is in', async () => {
    const engine = await engineOf([new Choosy()])
    const good = [job(1), job(2, 3), job(3)]
    const bad = { ...job(4), prompt: { conditional: [7], unconditional: [0], unknown: [] } }
    const failed: Job[] = []
    await engine.run([good[0], bad, ...good.slice(1)], { onFailed: (job) => failed.push(job) })
    good.forEach(expectRight)
    expect(failed).toEqual([bad])
  })

  test('where the worker refuses its pass, and the prompts are read in several forwards', async () => {
    const engine = await engineOf([new Choosy({ maxEntries: 4096 })])
    const long = (last: number) => ({
      conditional: [...new Array<number>(600).fill(1), last],
      unconditional: [0],
      unknown: [],
    })
    const good = { ...job(1), prompt: long(3) }
    const bad = { ...job(2), prompt: long(7) }
    const failed: [Job, unknown][] = []
    await engine.run([good, bad], { onFailed: (job, error) => failed.push([job, error]) })
    expectRight(good)
    expect(failed).toEqual([[bad, expect.objectContaining({ code: 'bad-token' })]])
  })
})

test('a run that is ended early resolves though some of its images are given up', async () => {
  const engine = await engineOf([new FakeWorker()])
  const early = new AbortController()
  const [kept, lost] = [job(1), job(2)]
  await engine.run([kept, lost], {
    early: { signal: early.signal, keeps: (job) => job === kept },
    onStep: () => early.abort(),
  })
  expectRight(kept)
  expect(lost.image.done).toBe(false)
})

describe('where the memory of the device runs out', () => {
  /** Takes so many entries in a forward; says that it takes 64. */
  class Small extends FakeWorker {
    readonly room: number
    constructor(room: number) {
      super({})
      this.room = room
    }
    override async request<O extends Op>(ask: Ask<O>, tensors: Tensors = {}): Promise<Answer<O>> {
      const { lanes } = ask as unknown as Ask<'forward'>
      const weight = lanes.reduce((sum, { entries, branches }) => sum + entries * branches.length, 0)
      if (weight > this.room) throw new WorkerError('out-of-memory', `${weight} entries`, 'Send fewer.')
      return super.request(ask, tensors)
    }
  }

  test('forwards are halved until they fit, and the images are the same', async () => {
    const fewer: number[] = []
    const engine = await engineOf([new Small(5)], { onFewerEntries: (most) => fewer.push(most) })
    const jobs = Array.from({ length: 6 }, (_, i) => job(i, [1, 3][i % 2]))
    await engine.run(jobs)
    jobs.forEach(expectRight)
    expect(fewer.length).toBeGreaterThan(0)
    expect(fewer.at(-1)).toBeLessThanOrEqual(5)
  })

  test('an image for which not even the smallest fits fails with that error', async () => {
    const engine = await engineOf([new Small(0)])
    await expect(engine.submit(job(1)).done).rejects.toMatchObject({ code: 'out-of-memory' })
  })
})

test('a picture of an unfinished image waits behind the passes that can be forwarded', async () => {
  const worker = new HeldWorker()
  const engine = await engineOf([worker])
  const one = job(1)
  one.image.preview = () => ofCode(4)
  const submission = engine.submit(one)
  await worker.answer()
  const picture = submission.picture()
  await worker.answer()
  expect(worker.asked.map(({ op }) => op)).toEqual(['forward', 'forward', 'decode', 'forward'])
  let ended = false
  void submission.done.then(() => {
    ended = true
  })
  while (!ended) await worker.answer()
  const { width, height, rgb } = await picture
  expect([width, height]).toEqual([4, 3])
  expect(new Set(rgb)).toEqual(new Set([4]))
})

test('a worker that cannot be had any more ends all images, those that wait too', async () => {
  const lost = () => new FakeWorker({ slots: 1 }, () => true)
  const engine = await engineOf([lost(), lost(), lost(), lost(), lost()])
  const submissions = [1, 2].map((number) => engine.submit(job(number)))
  for (const { done } of submissions) await expect(done).rejects.toMatchObject({ code: 'worker-lost' })
})

test('a picture is rejected, and the program goes on, where the session is closed while it is made', async () => {
  const closing = new AbortController()
  /** Its pictures fail some turns of the event loop after the session is closed, as when a process ends. */
  class Drawing extends FakeWorker {
    override async request<O extends Op>(ask: Ask<O>, tensors?: Tensors): Promise<Answer<O>> {
      if (ask.op !== 'decode') return super.request(ask, tensors)
      while (!closing.signal.aborted) await new Promise(setImmediate)
      for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate)
      throw new WorkerError('worker-lost', 'The worker was killed.', 'Start it again.')
    }
  }
  const worker = await supervised([new Drawing()], closing.signal)
  let asked = 0
  const alive = worker.alive.bind(worker)
  worker.alive = () => {
    asked += 1
    // the event loop would get no turn any more, and this test no end
    return asked > 100 ? new Promise(() => {}) : alive()
  }
  const engine = new Engine(worker)
  const one = job(1)
  one.image.preview = () => ofCode(4)
  const submission = engine.submit(one)
  const picture = submission.picture()
  await submission.done
  await new Promise(setImmediate)
  closing.abort(new Error('closed'))
  await expect(engine.submit(job(2)).done).rejects.toThrow('closed')
  await expect(picture).rejects.toThrow('closed')
  expect(asked).toBeLessThan(100)
})
