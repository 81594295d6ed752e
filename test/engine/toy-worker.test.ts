import { describe, expect, test, vi } from 'vitest'
import { Vectors } from '../../src/decoding/lent.js'
import { Engine } from '../../src/engine/engine.js'
import { SupervisedWorker } from '../../src/engine/supervised-worker.js'
import {
  chain,
  createPolicy,
  type DecodingPolicy,
  type Draw,
  exactPrefix,
  fanOut,
  gumbel,
  left,
  maximal,
  type PolicyOverrides,
  policyNames,
  type Sampling,
  Trajectory,
} from '../../src/index.js'
import { GuidedWorker } from '../support/guided.js'
import { toy } from '../support/toy-model.js'
import { ToyWorker } from './toy-worker.js'

const GUIDANCE = 2
const layout = [4, ...Array.from({ length: 5 }, () => [-1, -1, -1, -1, -1, 6]).flat(), 7]
const model = toy({ layout, rowLength: 6, codes: 5 })
const sampling: Sampling = { temperature: 0.9, topK: 3, topP: 1 }

/** Keeps a draft and its proposal for as long as the image may: so that it is read many passes after it was made. */
const faithful: Draw = {
  ...gumbel,
  follows: 'proposal',
  draw: (draft, pass) =>
    draft.proposal === null ? gumbel.draw(draft, pass) : { code: draft.code, proposal: draft.proposal },
}

const pieces = { window: 9, initialize: left, verify: maximal, prefix: exactPrefix, denoise: null }
const made = (name: string, overrides: PolicyOverrides = {}): DecodingPolicy => ({
  ...createPolicy(name, overrides, model.model),
  name: [name, ...Object.entries(overrides).flat()].join(' '),
})

/** Passes with a mask. */
const masked = [
  chain({ ...pieces, name: 'Gumbel drafts in a tree', refine: gumbel, branches: fanOut(2, 2) }),
  made('mc-sjd', { init: 'random', siblings: 2, depth: 4 }),
  made('sjd2-tree', { levels: 3, window: 8 }),
  made('sjd2-tree', { init: 'above', window: 6, branches: 40 }),
  made('pjd', { coupling: 'gumbel' }),
  made('pjd', { coupling: 'reuse', lag: 1 }),
  made('zipar', { lag: 1 }),
  made('zipar', { lag: 2 }),
  ...['sjd-pac', 'sjd2-tree', 'zipar', 'pjd'].map((name) => made(name)),
]
const chains = [
  chain({ ...pieces, name: 'Gumbel drafts that are read a pass later', refine: gumbel }),
  chain({ ...pieces, name: 'drafts that stay', refine: faithful }),
  chain({
    ...pieces,
    name: 'a window that breathes',
    refine: gumbel,
    window: ({ passes }) => 1 + ((5 * passes) % 9),
  }),
  made('sjd++', { init: 'above', threshold: 0.3 }),
  made('mc-sjd', { coupling: 'gumbel' }),
  made('sjd2', { coupling: 'maximal', levels: 3 }),
  ...policyNames.filter((name) => !masked.some((policy) => policy.name === name)).map((name) => made(name)),
]

const imagesOf = (policy: DecodingPolicy) =>
  Array.from(
    { length: 5 },
    (_, index) => new Trajectory({ model: model.model, policy, sampling, seed: 3, index }),
  )

/** Each image by itself, nothing of which is used twice. */
function alone(policy: DecodingPolicy): Int32Array[] {
  const never = vi.spyOn(Vectors.prototype, 'reclaim').mockReturnValue()
  const images = imagesOf(policy)
  for (const image of images) new GuidedWorker(model, GUIDANCE).decode(image)
  never.mockRestore()
  return images.map(({ tokens }) => tokens)
}

/** The images together, by workers that take so many entries at once, and die after so many forwards. */
async function together(policy: DecodingPolicy, maxEntries: number, lives: readonly number[]) {
  const workers: ToyWorker[] = []
  const start = async () => {
    const worker = new ToyWorker(model, maxEntries, lives[workers.length])
    workers.push(worker)
    return worker
  }
  const { signal } = new AbortController()
  const images = imagesOf(policy)
  const prompt = { conditional: [1], unconditional: [0], unknown: [] }
  const jobs = images.map((image) => ({ prompt, guidance: GUIDANCE, image }))
  const worker = await SupervisedWorker.start({ start, signal, onEvent() {} })
  await new Engine(worker).run(jobs)
  expect(workers.map(({ lent }) => lent)).toEqual(workers.map(() => 0))
  return images.map(({ tokens }) => tokens)
}

describe('whatever worker dies, and however passes are cut, images are what each is by itself', () => {
  const cases = [...chains, ...masked].map((policy) => [policy.name, policy] as const)
  test.each(cases)('%s', async (_, policy) => {
    const expected = alone(policy)
    expect(await together(policy, 2000, [3, 1, 5, 2, 1, 1, 4])).toEqual(expected)
    expect(await together(policy, 14, [7, 4, 9])).toEqual(expected)
  })
})
