import { type Answer, type Ask, floatsOrHalves, type Tensors, tensor, type Worker } from '../bridge/index.js'
import { Room } from '../decoding/lent.js'
import { concatenated } from './concatenated.js'
import { type LanePlan, laneHead, weightOf } from './lane.js'
import type { Seat } from './seat.js'
import { nameVectors } from './vectors.js'

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

/** Entries of the seat's next step, over all branches. */
function weightOfNext(seat: Seat, worker: Worker): number {
  return sum(seat.next(worker).map(weightOf))
}

/**
 * Entries that make a forward worth its while: fewer take about as long, since what takes the time is to read the
 * model's weights (on a data-centre GPU some 300 entries balance the two).
 */
const WORTHWHILE = 256

/**
 * How many entries the next forward should have: half of all that there are, in flight or not, so that the images of
 * one half are decided while the other half's are forwarded. All, where halves are not worth a forward of their own:
 * then 0 while others are in flight, to wait for these.
 */
export function fairShare(idle: readonly Seat[], worker: Worker, inFlight: readonly Batch[]): number {
  const waiting = sum(idle.map((seat) => weightOfNext(seat, worker)))
  const flying = sum(inFlight.flatMap(({ members }) => members.map(({ weight }) => weight)))
  const all = waiting + flying
  if (all >= 2 * WORTHWHILE || all > worker.hello.maxEntries) return all / 2
  return inFlight.length === 0 ? all : 0
}

/**
 * The next steps of the first seats: until there are `wanted` entries, or no more go into a forward of the worker. Their
 * latents are gathered in `room`, which must be left alone until the answer is there.
 */
export function collect(seats: readonly Seat[], worker: Worker, wanted = Infinity, room = new Room()): Batch {
  const { maxEntries, model } = worker.hello
  const members: Member[] = []
  const lanes: LanePlan[] = []
  let taken = 0
  for (const seat of seats) {
    if (taken >= wanted) break
    const step = seat.next(worker)
    const weight = weightOfNext(seat, worker)
    if (taken + weight > maxEntries) break
    taken += weight
    lanes.push(...step)
    members.push({ seat, weight, rows: sum(step.map(({ plan }) => plan.rows.length)) })
  }
  const named = nameVectors(lanes, model.vocabulary)
  return {
    members,
    ask: {
      op: 'forward',
      lanes: named.lanes.map(laneHead),
      ...(named.vectors.length > 0 && { vectors: [...named.vectors] }),
      logits: precision(worker),
    },
    tensors: endToEnd(named.lanes, model.width, room),
  }
}

/** A model that computes in half precision or bfloat16 has no logits of more: they travel as halves. */
function precision({ hello }: Worker): 'f32' | 'f16' {
  return hello.dtype === 'f32' ? 'f32' : 'f16'
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
  const logits = floatsOrHalves(tensors, 'logits', [sum(members.map(({ rows }) => rows)), count])
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

function endToEnd(lanes: readonly LanePlan[], width: number, room: Room): Tensors {
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
        (length) => room.of(length),
      ),
      [timesteps.length, width],
    ),
    timesteps: tensor(timesteps),
    ...(masks.length > 0 && { mask: tensor(concatenated(Uint8Array, masks)) }),
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
