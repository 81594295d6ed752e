import { type Answer, type Ask, floatsOrHalves, type Tensors, tensor, type Worker } from '../bridge/index.js'
import { Scratch } from '../common/scratch.js'
import { concatenated } from './concatenated.js'
import { type LanePlan, laneHead, weightOf } from './lane.js'
import type { RunningImage } from './running-image.js'
import { nameVectors } from './vectors.js'

/** One forward: the lanes of several images, laid end to end. */
export interface Batch {
  readonly members: readonly Member[]
  /** Entries over all lanes and branches. */
  readonly weight: number
  readonly ask: Ask<'forward'>
  readonly tensors: Tensors
}

interface Member {
  readonly image: RunningImage
  readonly weight: number
  readonly rows: number
}

/** What a forward of a worker may hold. */
export interface Capacity {
  readonly worker: Worker
  /** Entries over all lanes and branches. */
  readonly maxEntries: number
}

/** Entries of the image's next step, over all branches. @throws what the policy throws */
export function weightOfNext(image: RunningImage, { worker, maxEntries }: Capacity): number {
  return sum(image.next(worker, maxEntries).map(weightOf))
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
export function fairShare(
  idle: readonly RunningImage[],
  capacity: Capacity,
  inFlight: readonly Batch[],
): number {
  const waiting = sum(idle.map((image) => weightOfNext(image, capacity)))
  const all = waiting + sum(inFlight.map(({ weight }) => weight))
  if (all >= 2 * WORTHWHILE || all > capacity.maxEntries) return all / 2
  return inFlight.length === 0 ? all : 0
}

/**
 * The next steps of the first images: until there are `wanted` entries, or no more go into a forward. An image that is to
 * be forwarded alone is in no batch with others. Latents are gathered in `scratch`, which must be left alone until the
 * answer is there.
 */
export function collect(
  images: readonly RunningImage[],
  capacity: Capacity,
  wanted = Infinity,
  scratch = new Scratch(),
): Batch {
  const { worker, maxEntries } = capacity
  const { model } = worker.hello
  const members: Member[] = []
  const lanes: LanePlan[] = []
  let taken = 0
  for (const image of images) {
    if (taken >= wanted || (image.alone && members.length > 0)) break
    const step = image.next(worker, maxEntries)
    const weight = sum(step.map(weightOf))
    if (taken + weight > maxEntries) break
    taken += weight
    lanes.push(...step)
    members.push({ image, weight, rows: sum(step.map(({ plan }) => plan.rows.length)) })
    if (image.alone) break
  }
  const named = nameVectors(lanes, model.vocabulary)
  return {
    members,
    weight: taken,
    ask: {
      op: 'forward',
      lanes: named.lanes.map(laneHead),
      ...(named.vectors.length > 0 && { vectors: [...named.vectors] }),
      logits: precision(worker),
    },
    tensors: endToEnd(named.lanes, model.width, scratch),
  }
}

/** A model that computes in half precision or bfloat16 has no logits of more: they travel as halves. */
function precision({ hello }: Worker): 'f32' | 'f16' {
  return hello.dtype === 'f32' ? 'f32' : 'f16'
}

/**
 * Gives each image its rows of the logits, and its share of the `seconds` that the answer took; says whether any image
 * advanced. An image that cannot take its rows fails; one that has ended meanwhile takes none.
 * @throws WorkerError `bad-reply` where the logits are not those that were asked for
 */
export function handBack(
  { members, weight: total }: Batch,
  { head, tensors }: Answer<'forward'>,
  worker: Worker,
  seconds: number,
): boolean {
  const { count } = worker.hello.model.image
  const logits = floatsOrHalves(tensors, 'logits', [sum(members.map(({ rows }) => rows)), count])
  let row = 0
  let advanced = false
  for (const { image, weight, rows } of members) {
    const own = logits.subarray(row * count, (row + rows) * count)
    row += rows
    if (image.ticket.ended) continue
    const share = weight / total
    const spent = { forward: head.seconds * share, bridge: Math.max(0, seconds - head.seconds) * share }
    try {
      advanced = image.take(own, spent) || advanced
    } catch (error) {
      image.ticket.fail(error)
    }
  }
  return advanced
}

function endToEnd(lanes: readonly LanePlan[], width: number, scratch: Scratch): Tensors {
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
        (length) => scratch.of(length),
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
