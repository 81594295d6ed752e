import { type Answer, type Ask, floats, type Tensors, tensor, type Worker } from '../bridge/index.js'
import { concatenated } from './concatenated.js'
import { type LanePlan, laneHead, weightOf } from './lane.js'
import type { Seat } from './seat.js'
import { type NamedLanes, nameVectors } from './vectors.js'

/** One forward: the lanes of several images, laid end to end. */
export interface Batch {
  readonly members: readonly Member[]
  readonly ask: Ask<'forward'>
  readonly tensors: Tensors
}

interface Member {
  readonly seat: Seat
  readonly weight: number
  readonly rows: number
}

/** The next steps of the first seats, as many as go into one forward of the worker. */
export function collect(seats: readonly Seat[], worker: Worker): Batch {
  const { maxEntries, model } = worker.hello
  const members: Member[] = []
  const lanes: LanePlan[] = []
  let room = maxEntries
  for (const seat of seats) {
    const step = seat.next(worker)
    const weight = sum(step.map(weightOf))
    if (weight > room) break
    room -= weight
    lanes.push(...step)
    members.push({ seat, weight, rows: sum(step.map(({ plan }) => plan.rows.length)) })
  }
  const named = nameVectors(lanes, model.vocabulary, model.width)
  return {
    members,
    ask: { op: 'forward', lanes: named.lanes.map(laneHead), logits: 'f32' },
    tensors: endToEnd(named, model.width),
  }
}

/**
 * Gives each image its rows of the logits, and its share of the `seconds` that the answer took; says whether any image
 * advanced.
 */
export function handBack(
  { members }: Batch,
  { head, tensors }: Answer<'forward'>,
  worker: Worker,
  seconds: number,
): boolean {
  const { count } = worker.hello.model.image
  const logits = floats(tensors, 'logits', [sum(members.map(({ rows }) => rows)), count])
  const total = sum(members.map(({ weight }) => weight))
  let row = 0
  const advanced = members.map(({ seat, weight, rows }) => {
    const own = logits.subarray(row * count, (row + rows) * count)
    row += rows
    const share = weight / total
    return seat.take(own, {
      forward: head.seconds * share,
      bridge: Math.max(0, seconds - head.seconds) * share,
    })
  })
  return advanced.includes(true)
}

function endToEnd({ lanes, vectors }: NamedLanes, width: number): Tensors {
  const plans = lanes.map(({ plan }) => plan)
  const timesteps = concatenated(
    Float32Array,
    plans.map((plan) => plan.timesteps),
  )
  const masks = plans.flatMap(({ mask }) => mask ?? [])
  return {
    tokens: tensor(
      concatenated(
        Int32Array,
        plans.map((plan) => plan.tokens),
      ),
    ),
    positions: tensor(
      concatenated(
        Int32Array,
        plans.map((plan) => plan.positions),
      ),
    ),
    rows: tensor(
      concatenated(
        Int32Array,
        plans.map((plan) => plan.rows),
      ),
    ),
    latents: tensor(
      concatenated(
        Float32Array,
        plans.map((plan) => plan.latents),
      ),
      [timesteps.length, width],
    ),
    timesteps: tensor(timesteps),
    ...(vectors && { vectors }),
    ...(masks.length > 0 && { mask: tensor(concatenated(Uint8Array, masks)) }),
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
