import {
  type Answer,
  type Ask,
  type Op,
  type Tensors,
  tensor,
  type Worker,
  WorkerError,
} from '../../src/bridge/index.js'
import type { HelloReply, Lane } from '../../src/bridge/messages.generated.js'
import { PROTOCOL } from '../../src/bridge/messages.js'
import { headFault } from '../../src/bridge/schema.js'
import { ANCHOR } from '../../src/decoding/pass.js'
import type { Job } from '../../src/engine/job.js'
import { RunningImage } from '../../src/engine/running-image.js'
import { Ticket } from '../../src/engine/submission.js'

/** A cell remembers what was fed into it. */
interface Cell {
  readonly token: number
  readonly position: number
}

export const image = { first: 10, count: 8 }

const hello: HelloReply = {
  op: 'hello',
  id: 1,
  ok: true,
  protocol: PROTOCOL,
  worker: 'fake',
  torch: 'none',
  device: 'none',
  dtype: 'f32',
  slots: 8,
  cells: 64,
  promptCells: 52,
  longestPrompt: 52,
  maxEntries: 64,
  model: {
    family: 'fake',
    name: 'fake',
    hash: 'same',
    vocabulary: 18,
    image,
    grid: { rows: 3, columns: 4 },
    picture: { height: 3, width: 4 },
    width: 2,
    layout: new Array<number>(12).fill(-1),
    denoising: null,
    sampling: { guidance: 1, temperature: 1, topK: 0, topP: 1 },
  },
}

export function helloOf(changes: Partial<HelloReply>): HelloReply {
  return { ...hello, ...changes }
}

/**
 * Logits [count] that depend on every token in sight and where it stands: a wrong cell changes them. They depend most on
 * the position, so that drafts made in a wrong context are often right.
 */
export function logitsAfter(context: readonly Cell[]): number[] {
  const position = context[context.length - 1].position
  const hash = context.reduce((sum, cell) => mix(mix(sum, cell.token), cell.position), 1)
  return Array.from({ length: image.count }, (_, code) =>
    Math.fround(fraction(mix(mix(2, position), code)) + fraction(mix(hash, code)) / 4),
  )
}

function mix(hash: number, value: number): number {
  const mixed = Math.imul(hash ^ (value + 1000), 0x85ebca6b)
  return Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
}

/** A number on [0, 1) from 24 bits of a hash. */
function fraction(hash: number): number {
  return (hash >>> 8) / 2 ** 24
}

export function guided(conditional: readonly number[], unconditional: readonly number[], guidance: number) {
  return conditional.map((value, code) => unconditional[code] + guidance * (value - unconditional[code]))
}

/** A worker without a process: it keeps cells as the protocol says, and refuses what the real one refuses. */
export class FakeWorker implements Worker {
  readonly pid = 0
  readonly hello: HelloReply
  readonly forwards: Ask<'forward'>[] = []
  readonly #slots: Cell[][]
  readonly #dies: (forward: number) => boolean
  #dead = false

  /** `dies` says whether the worker dies over the forward of that number, counted from 1. */
  constructor(changes: Partial<HelloReply> = {}, dies: (forward: number) => boolean = () => false) {
    this.hello = helloOf(changes)
    this.#slots = Array.from({ length: this.hello.slots }, () => [])
    this.#dies = dies
  }

  async request<O extends Op>(ask: Ask<O>, tensors: Tensors = {}): Promise<Answer<O>> {
    if (ask.op !== 'forward') throw new Error(`the fake worker cannot ${ask.op}`)
    const forward = ask as unknown as Ask<'forward'>
    const head = { ...forward, id: 1, tensors: [] }
    const fault = headFault('ForwardRequest', head)
    if (fault !== undefined) throw new Error(fault)
    this.forwards.push(forward)
    if (this.#dead || this.#dies(this.forwards.length)) {
      this.#dead = true
      throw new WorkerError('worker-lost', 'The worker was killed by SIGKILL.', 'Start it again.')
    }
    return this.#forward(forward, tensors) as unknown as Answer<O>
  }

  async close(): Promise<void> {
    this.#dead = true
  }

  #forward({ lanes }: Ask<'forward'>, tensors: Tensors): Answer<'forward'> {
    const weight = lanes.reduce((total, lane) => total + lane.entries * lane.branches.length, 0)
    if (weight > this.hello.maxEntries) throw new WorkerError('too-large', `${weight} entries`, '')
    const ends = new Map<number, number>()
    for (const { branches, entries, keep } of lanes) {
      const twice = branches.some(
        ({ slot, base }, i) =>
          branches.findIndex((other) => other.slot === slot) < i ||
          (ends.has(slot) && (base !== ends.get(slot) || keep !== undefined)),
      )
      if (twice) throw new WorkerError('bad-slot', 'a slot comes twice', '')
      for (const { slot, base } of branches) ends.set(slot, base + entries)
    }
    const rows: number[] = []
    let [entry, row] = [0, 0]
    for (const lane of lanes) {
      const tokens = tensors.tokens.data.subarray(entry, entry + lane.entries)
      const positions = tensors.positions.data.subarray(entry, entry + lane.entries)
      const wanted = tensors.rows.data.subarray(row, row + lane.rows)
      rows.push(...this.#lane(lane, [...tokens], [...positions], [...wanted]))
      entry += lane.entries
      row += lane.rows
    }
    const logits = tensor(Float32Array.from(rows), [row, image.count])
    return {
      head: { op: 'forward', id: 1, ok: true, seconds: weight / 1000, tensors: [] },
      tensors: { logits },
    }
  }

  #lane(lane: Lane, tokens: number[], positions: number[], rows: number[]): number[] {
    const contexts = lane.branches.map(({ slot, base, anchor }) => {
      const cells = this.#slots[slot]
      if (base > cells.length)
        throw new WorkerError('bad-slot', `cells of slot ${slot} were never written`, '')
      cells.length = base
      cells.push(
        ...tokens.map((token, i) => ({ token: token === ANCHOR ? anchor : token, position: positions[i] })),
      )
      return (row: number) => logitsAfter(cells.slice(0, base + row + 1))
    })
    const [conditional, unconditional] = contexts
    return rows.flatMap((row) =>
      unconditional === undefined
        ? conditional(row)
        : guided(conditional(row), unconditional(row), lane.guidance as number),
    )
  }
}

/** An image that holds these slots. */
export function runningImage(job: Job, slots: readonly number[]): RunningImage {
  const office = { picture: () => Promise.reject(new Error('There are no pictures here.')), ended() {} }
  return new RunningImage(new Ticket(job, office, {}), slots)
}

/** What a forward of the worker may hold. */
export const capacityOf = (worker: Worker) => ({ worker, maxEntries: worker.hello.maxEntries })

/** The image that greedy sequential decoding gives, worked out without slots, batches or passes. */
export function expectedImage(
  prompt: { conditional: number[]; unconditional: number[] },
  guidance: number,
): number[] {
  const branches = [prompt.conditional, prompt.unconditional].map((ids) =>
    ids.map((token, i) => ({ token, position: i - ids.length })),
  )
  const ids: number[] = []
  for (let position = 0; position < hello.model.layout.length; position++) {
    const [conditional, unconditional] = branches.map(logitsAfter)
    const logits = (guidance === 1 ? conditional : guided(conditional, unconditional, guidance)).map(
      Math.fround,
    )
    const token = image.first + logits.indexOf(Math.max(...logits))
    ids.push(token)
    for (const context of branches) context.push({ token, position })
  }
  return ids
}
