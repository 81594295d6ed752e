import { describe, expect, test } from 'vitest'
import { type Answer, type Ask, type Op, type Tensors, WorkerError } from '../../src/bridge/index.js'
import { Engine } from '../../src/engine/engine.js'
import type { ForwardTiming, RunOptions } from '../../src/engine/index.js'
import type { Job } from '../../src/engine/job.js'
import { SupervisedWorker, type WorkerEvent } from '../../src/engine/supervised-worker.js'
import { expectedImage, FakeWorker, image } from './fake-worker.js'
import { Greedy } from './greedy.js'

const model = { ...image, length: 12 }

type GreedyJob = Job & { readonly image: Greedy }

/** Images whose prompts, guidance, windows and drafts all differ. */
function someJobs(count: number): GreedyJob[] {
  return Array.from({ length: count }, (_, i) => ({
    prompt: {
      conditional: Array.from({ length: 2 + (i % 5) }, (_, j) => 1 + ((i + j) % 9)),
      unconditional: Array.from({ length: 1 + ((i * 2) % 5) }, () => 0),
      unknown: [],
    },
    guidance: [1, 3, 1.5][i % 3],
    image: new Greedy(model, [0, 3, 7, 20][i % 4], i % image.count),
  }))
}

/** Runs jobs on fake workers, the next where one dies. */
async function run(jobs: Iterable<Job>, workers: FakeWorker[], options: RunOptions = {}) {
  const events: WorkerEvent['kind'][] = []
  const lasting = await SupervisedWorker.start({
    start: async () => {
      const next = workers.shift()
      if (next === undefined) throw new Error('the test has no more workers')
      return next
    },
    signal: new AbortController().signal,
    onEvent: ({ kind }) => events.push(kind),
  })
  await new Engine(lasting).run(jobs, options)
  return events
}

function expectRightImages(jobs: readonly GreedyJob[]) {
  const expected = jobs.map(({ prompt, guidance }) => expectedImage(prompt, guidance))
  expect(jobs.map(({ image }) => [...image.tokens])).toEqual(expected)
}

describe('many images in one batch', () => {
  test.each([2, 3, 8, 64])('are the same with %i slots as one by one', async (slots) => {
    const jobs = someJobs(17)
    await run(jobs, [new FakeWorker({ slots })])
    expectRightImages(jobs)
  })

  test.each([2, 5, 11, 30])('are the same where a forward takes %i entries only', async (maxEntries) => {
    const jobs = someJobs(9)
    const worker = new FakeWorker({ maxEntries })
    await run(jobs, [worker])
    expectRightImages(jobs)
  })

  test('advance each by its own acceptance', async () => {
    const jobs = [0, 3].map((window) => ({
      prompt: { conditional: [1], unconditional: [0], unknown: [] },
      guidance: 1,
      image: new Greedy(model, window),
    }))
    const finished: Job[] = []
    await run(jobs, [new FakeWorker()], { onDone: (job) => finished.push(job) })
    expect(finished).toEqual([jobs[1], jobs[0]])
    expect(jobs[0].image.passes).toBe(12)
    expect(jobs[1].image.passes).toBeLessThan(12)
  })

  test('end early where they are told to: none begins any more, and of those begun only the kept go on', async () => {
    const jobs = someJobs(9).map((job) => ({ ...job, guidance: 1 }))
    const kept = jobs.slice(1, 3)
    const asked: Job[] = []
    function* queue() {
      for (const job of jobs) {
        asked.push(job)
        yield job
      }
    }
    const stop = new AbortController()
    const done: Job[] = []
    await run(queue(), [new FakeWorker({ slots: 4 })], {
      early: { signal: stop.signal, keeps: (job) => kept.includes(job as GreedyJob) },
      onStep: () => stop.abort(),
      onDone: (job) => done.push(job),
    })
    expect(new Set(done)).toEqual(new Set(kept))
    expectRightImages(kept)
    expect(asked.length).toBeLessThanOrEqual(5)
  })

  test('leave their slots to those who wait, who are asked for only then', async () => {
    const jobs = someJobs(6).map((job) => ({ ...job, guidance: 3 }))
    const asked: Job[] = []
    const log: string[] = []
    function* queue() {
      for (const job of jobs) {
        asked.push(job)
        log.push(`asked ${jobs.indexOf(job)}`)
        yield job
      }
    }
    await run(queue(), [new FakeWorker({ slots: 4 })], {
      onDone: (job) => log.push(`done ${jobs.indexOf(job as GreedyJob)}`),
    })
    expectRightImages(jobs)
    expect(log.indexOf('asked 3')).toBeGreaterThan(log.findIndex((line) => line.startsWith('done')))
  })

  test('take turns where not all fit in one forward', async () => {
    const prompt = { conditional: [1], unconditional: [0], unknown: [] }
    const jobs = Array.from({ length: 5 }, () => ({ prompt, guidance: 1, image: new Greedy(model, 0) }))
    let others: number[] | undefined
    const onDone = () => {
      others ??= jobs.map(({ image }) => image.passes)
    }
    await run(jobs, [new FakeWorker({ maxEntries: 2 })], { onDone })
    expect(Math.min(...(others ?? []))).toBeGreaterThanOrEqual(11)
  })

  test('need no slot when they are done already', async () => {
    const [job] = someJobs(1)
    await run([job], [new FakeWorker()])
    const again = new FakeWorker()
    const finished: Job[] = []
    await run([job], [again], { onDone: (done) => finished.push(done) })
    expect(finished).toEqual([job])
    expect(again.forwards).toEqual([])
  })

  test('are refused where one does not fit the worker at all', async () => {
    const jobs = someJobs(2)
    await expect(run(jobs, [new FakeWorker({ slots: 1 })])).rejects.toMatchObject({ code: 'too-large' })
  })

  test('spend no forward on short prompts alone', async () => {
    const jobs = someJobs(12).map((job) => ({ ...job, guidance: 1 }))
    const worker = new FakeWorker({ slots: 3 })
    await run(jobs, [worker])
    const silent = worker.forwards.filter(({ lanes }) => lanes.every(({ rows }) => rows === 0))
    expect(silent).toEqual([])
  })
})

/** Answers a while after it was asked; notes the slots of what is asked meanwhile. */
class BusyWorker extends FakeWorker {
  readonly underWay: number[][] = []
  readonly most: number[][] = []

  override async request<O extends Op>(ask: Ask<O>, tensors?: Tensors): Promise<Answer<O>> {
    const { lanes } = ask as unknown as Ask<'forward'>
    const slots = [...new Set(lanes.flatMap(({ branches }) => branches.map(({ slot }) => slot)))]
    this.underWay.push(slots)
    if (this.underWay.length > this.most.length) this.most.splice(0, Infinity, ...this.underWay)
    await new Promise(setImmediate)
    this.underWay.splice(this.underWay.indexOf(slots), 1)
    return super.request(ask, tensors)
  }
}

describe('two forwards under way', () => {
  test('are of different images, which are the same as one by one', async () => {
    const jobs = someJobs(11)
    const worker = new BusyWorker({ maxEntries: 30 })
    await run(jobs, [worker])
    expectRightImages(jobs)
    expect(worker.most.length).toBe(2)
    const slots = worker.most.flat()
    expect(new Set(slots).size).toBe(slots.length)
  })

  test.each([2, 3, 4, 5, 9])('are both taken up where the worker dies over forward %i', async (forward) => {
    const jobs = someJobs(7)
    const first = new BusyWorker({ maxEntries: 30 }, (n) => n === forward)
    const events = await run(jobs, [first, new BusyWorker({ maxEntries: 30 })])
    expectRightImages(jobs)
    expect(events).toEqual(['worker-ready', 'worker-lost', 'worker-ready'])
  })

  test('have latents that are left alone until they are answered', async () => {
    class Keeping extends BusyWorker {
      readonly memory = new Set<ArrayBufferLike>()
      override async request<O extends Op>(ask: Ask<O>, tensors: Tensors = {}): Promise<Answer<O>> {
        const { data } = tensors.latents
        const before = [...data]
        if (data.length > 0) this.memory.add(data.buffer)
        const answer = await super.request(ask, tensors)
        expect([...data]).toEqual(before)
        return answer
      }
    }
    const worker = new Keeping({ maxEntries: 14 })
    const jobs = someJobs(9).map((job) => ({ ...job, guidance: 1 }))
    // what the fake worker makes of latents does not matter here: a committed code in a latent's place
    let number = 0
    for (const { image } of jobs) {
      const { plan } = image
      image.plan = () => {
        number += 1
        return {
          ...plan.call(image),
          latents: new Float32Array(2).fill(number),
          timesteps: Float32Array.of(1),
        }
      }
    }
    await run(jobs, [worker])
    expectRightImages(jobs)
    expect(worker.memory.size).toBeGreaterThan(1)
  })

  test('halve the images only where both halves are worth a forward of their own', async () => {
    const shape = { ...image, length: 300 }
    const prompt = { conditional: [1], unconditional: [0], unknown: [] }
    const sizes = async (count: number) => {
      const jobs = Array.from({ length: count }, () => ({
        prompt,
        guidance: 1,
        image: new Greedy(shape, 150),
      }))
      const worker = new BusyWorker({ maxEntries: 10_000 })
      const images: number[] = []
      const enough = new AbortController()
      const onForward = (timing: ForwardTiming) => {
        if (images.push(timing.images) === 6) enough.abort()
      }
      await run(jobs, [worker], { onForward, signal: enough.signal }).catch(() => {})
      return images
    }
    expect(await sizes(3)).toEqual([3, 3, 3, 3, 3, 3])
    expect(await sizes(8)).toEqual([4, 4, 4, 4, 4, 4])
  })
})

describe('images prepare while their forward is under way', () => {
  /** Decodes greedily on a slow worker; in how many forwards images prepared, of how many. */
  async function prepared(count: number, window: number): Promise<[preparing: number, forwards: number]> {
    class SlowWorker extends FakeWorker {
      waiting = 0
      override async request<O extends Op>(ask: Ask<O>, tensors?: Tensors): Promise<Answer<O>> {
        this.waiting += 1
        for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate)
        this.waiting -= 1
        return super.request(ask, tensors)
      }
    }
    const worker = new SlowWorker({ maxEntries: 10_000 })
    const preparing = new Set<number>()
    const jobs = Array.from({ length: count }, () => {
      const prepare = () => {
        expect(worker.waiting).toBeGreaterThan(0)
        preparing.add(worker.forwards.length)
        return false
      }
      const image = Object.assign(new Greedy({ ...model, length: 200 }, window), { prepare })
      return { prompt: { conditional: [1], unconditional: [0], unknown: [] }, guidance: 1, image }
    })
    const enough = new AbortController()
    const onForward = () => {
      if (worker.forwards.length >= 5) enough.abort()
    }
    await run(jobs, [worker], { onForward, signal: enough.signal }).catch(() => {})
    return [preparing.size, worker.forwards.length]
  }

  test('where nothing else is', async () => {
    const [preparing, forwards] = await prepared(2, 3)
    expect(preparing).toBe(forwards)
  })

  test('and not where another forward, behind it, hides what is decided', async () => {
    const [preparing, forwards] = await prepared(8, 150)
    expect(forwards).toBeGreaterThan(4)
    expect(preparing).toBe(0)
  })
})

describe('statistics', () => {
  test('count passes, entries and prefills of each image, and share the forward time by entries', async () => {
    const jobs = someJobs(5)
    const worker = new FakeWorker()
    const totals = { passes: 0, seconds: 0 }
    await run(jobs, [worker], {
      onDone: ({ image }, { passes, entries, prefillPasses, forwardSeconds, prefillSeconds, seconds }) => {
        expect(passes).toBe((image as Greedy).passes)
        expect(entries).toBeGreaterThanOrEqual(passes)
        expect(prefillPasses).toBe(0)
        expect(seconds).toBeGreaterThan(0)
        totals.passes += passes
        totals.seconds += forwardSeconds + prefillSeconds
      },
    })
    const weight = worker.forwards.flatMap(({ lanes }) =>
      lanes.map((lane) => lane.entries * lane.branches.length),
    )
    expect(totals.passes).toBe(jobs.reduce((sum, { image }) => sum + image.passes, 0))
    expect(totals.seconds).toBeCloseTo(weight.reduce((a, b) => a + b) / 1000)
  })

  test('reach onStep after every forward, for each image in it', async () => {
    const jobs = someJobs(3)
    const worker = new FakeWorker()
    let steps = 0
    await run(jobs, [worker], { onStep: () => steps++ })
    expect(steps).toBe(jobs.reduce((sum, { image }) => sum + image.passes, 0))
  })
})

describe('a worker that dies', () => {
  test.each([1, 2, 3, 5, 8])('over forward %i is replaced, and the images are the same', async (forward) => {
    const jobs = someJobs(7)
    const events = await run(jobs, [new FakeWorker({}, (n) => n === forward), new FakeWorker()])
    expectRightImages(jobs)
    expect(events).toEqual(['worker-ready', 'worker-lost', 'worker-ready'])
  })

  test('again and again is replaced each time, as long as images get further in between', async () => {
    const jobs = someJobs(4)
    const workers = Array.from({ length: 40 }, () => new FakeWorker({}, (n) => n === 3))
    const events = await run(jobs, [...workers, new FakeWorker()])
    expectRightImages(jobs)
    expect(events.filter((kind) => kind === 'worker-lost').length).toBeGreaterThan(5)
  })

  test('is given up after three restarts that came to nothing', async () => {
    const workers = Array.from({ length: 10 }, () => new FakeWorker({}, (n) => n === 1))
    const fate = run(someJobs(4), workers)
    await expect(fate).rejects.toMatchObject({
      code: 'worker-lost',
      message: expect.stringContaining('4 times in a row'),
    })
    expect(workers.length).toBe(6)
  })

  test('gets back what was committed in pieces, where that is more than a forward takes', async () => {
    const jobs = someJobs(3)
    const last = new FakeWorker({ maxEntries: 6 })
    await run(jobs, [new FakeWorker({ maxEntries: 6 }, (n) => n === 14), last])
    expectRightImages(jobs)
  })

  test('is not replaced by one with another checkpoint', async () => {
    const other = new FakeWorker({ model: { ...new FakeWorker().hello.model, hash: 'other' } })
    const fate = run(someJobs(2), [new FakeWorker({}, (n) => n === 2), other])
    await expect(fate).rejects.toMatchObject({ code: 'wrong-config' })
  })
})

describe('a run', () => {
  test('stops before the next pass when it is aborted, and can be taken up by another', async () => {
    const jobs = someJobs(5)
    const controller = new AbortController()
    const reason = new Error('enough')
    let steps = 0
    const onStep = () => {
      if (++steps === 12) controller.abort(reason)
    }
    await expect(run(jobs, [new FakeWorker()], { signal: controller.signal, onStep })).rejects.toBe(reason)
    expect(jobs.some(({ image }) => !image.done)).toBe(true)
    await run(jobs, [new FakeWorker()])
    expectRightImages(jobs)
  })

  test('ends with the error of an image that fails, or of a worker that refuses', async () => {
    const [job] = someJobs(1)
    const broken = {
      done: false,
      plan: () => {
        throw new Error('broken policy')
      },
      advance: () => {},
      holds: () => false,
      forgetCells: () => {},
    }
    await expect(run([{ ...job, image: broken }], [new FakeWorker()])).rejects.toThrow('broken policy')
    const refusing = new FakeWorker({}, () => {
      throw new WorkerError('bad-token', 'no such id', 'Send another.')
    })
    await expect(run([job], [refusing])).rejects.toMatchObject({ code: 'bad-token' })
  })
})
