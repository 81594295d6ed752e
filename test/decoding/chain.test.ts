import { expect, test } from 'vitest'
import {
  above,
  type Branching,
  type ChainPieces,
  chain,
  type DecodingPolicy,
  type Draw,
  denoise,
  denoiseByPasses,
  exactPrefix,
  gaussian,
  greedy,
  gumbel,
  type ImageState,
  type Initializer,
  independent,
  left,
  maximal,
  type Noise,
  noiseSchedules,
  PolicyError,
  random,
  relaxedPrefix,
  runnersUp,
  SPARE_CELLS,
} from '../../src/index.js'
import { draftOf, passOf, start } from '../support/fake-pass.js'
import { toy } from '../support/toy-model.js'

const clean: ChainPieces = {
  name: 'mine',
  window: 4,
  initialize: random,
  verify: maximal,
  refine: maximal,
  prefix: exactPrefix,
  denoise: null,
}
const noisy: ChainPieces = { ...clean, initialize: gaussian(4), denoise: denoiseByPasses(4) }
const dishonest: Initializer = { ...above, honest: false }
const keeping: Draw = { ...maximal, follows: 'neither' }

test.each<[string, ChainPieces, boolean]>([
  ['coupled drafts, verified', clean, true],
  ['independent drafts, verified', { ...clean, refine: independent }, true],
  ['greedy drafts, verified as what they are', { ...clean, refine: greedy }, true],
  ['Gumbel drafts, verified by their proposals', { ...clean, refine: gumbel }, true],
  ['greedy verification', { ...clean, verify: greedy }, false],
  ['verification that follows nothing known', { ...clean, verify: keeping }, false],
  ['drafts of unknown distribution, trusted', { ...clean, refine: keeping }, false],
  ['drafts of unknown distribution, verified by Gumbel', { ...clean, verify: gumbel, refine: keeping }, true],
  ['first drafts of unknown distribution, trusted', { ...clean, initialize: dishonest }, false],
  [
    'first drafts of unknown distribution, by Gumbel',
    { ...clean, verify: gumbel, initialize: dishonest },
    true,
  ],
  ['noise, exact prefix', noisy, true],
  ['noise, relaxed prefix', { ...noisy, prefix: relaxedPrefix(false) }, false],
  ['no noise, relaxed prefix', { ...clean, prefix: relaxedPrefix(false) }, true],
])('exactness follows from the pieces: %s', (_, pieces, exact) => {
  expect(chain(pieces).exact).toBe(exact)
})

test.each<[string, ChainPieces, boolean]>([
  ['Gumbel verification', { ...clean, verify: gumbel, refine: gumbel }, true],
  ['Gumbel verification of whatever drafts', { ...clean, verify: gumbel }, true],
  ['another verification', { ...clean, refine: gumbel }, false],
  ['Gumbel verification, relaxed', { ...noisy, verify: gumbel, prefix: relaxedPrefix(false) }, false],
  ['no window', { ...clean, verify: gumbel, window: 0 }, false],
  ['branches beside the window', { ...clean, verify: gumbel, refine: gumbel, branches: runnersUp(4) }, false],
  ['a window of its own mind', { ...clean, verify: gumbel, window: () => 3 }, false],
])('the window decides nothing of the image under %s: %s', (_, pieces, free) => {
  expect(chain(pieces).freeWindow).toBe(free)
})

test.each<[string, ChainPieces, string]>([
  ['a window that is no number of drafts', { ...clean, window: -1 }, 'window of mine is -1'],
  ['a window of part of a draft', { ...clean, window: 1.5 }, 'window of mine is 1.5'],
  ['branches that its verification cannot use', { ...clean, branches: runnersUp(4) }, 'can make nothing of'],
  ['noise without a way to lose it', { ...noisy, denoise: null }, 'no levels'],
  ['levels without noise', { ...clean, denoise: denoiseByPasses(2) }, 'clean'],
])('refuses %s', (_, pieces, reason) => {
  expect(() => chain(pieces)).toThrow(PolicyError)
  expect(() => chain(pieces)).toThrow(reason)
})

test('a window may shrink and close: what leaves it is dropped', () => {
  const page = toy({ layout: Array.from({ length: 40 }, () => -1), rowLength: 8, codes: 3 })
  const window = ({ passes }: ImageState) => [6, 3, 0][passes % 3]
  const { image, worker } = start(page, { policy: chain({ ...clean, window }) })
  while (!image.done) {
    expect(image.drafts).toHaveLength(Math.min(window(image), image.length - image.committed - 1))
    image.advance(worker.forward(image.plan()))
  }
})

test('an initialiser sees the drafts that enter before its own', () => {
  const page = toy({ layout: Array.from({ length: 12 }, () => -1), rowLength: 12, codes: 50 })
  const { image } = start(page, { policy: chain({ ...clean, window: 6, initialize: left }) })
  expect(new Set(image.drafts.map(({ code }) => code)).size).toBe(1)
})

test('each pass takes latents towards the codes that it drew, by their distance to the new front', () => {
  const page = toy({
    layout: Array.from({ length: 24 }, () => -1),
    rowLength: 6,
    codes: 4,
    denoising: { schedule: 'linear' },
  })
  const { table, width } = page.model.embeddings
  let distances: number[] = []
  const next = (level: number, distance: number) => {
    distances.push(distance)
    return level - 1
  }
  const policy = chain({ ...clean, window: 6, initialize: gaussian(9), denoise: { levels: 9, next } })
  const { image, worker } = start(page, { policy })
  while (!image.done) {
    const before = new Map(
      image.drafts.map(({ position, noise }) => [position, { ...noise, latent: noise?.latent.slice() }]),
    )
    distances = []
    image.advance(worker.forward(image.plan()))
    const denoised = image.drafts.filter(({ position }) => before.has(position))
    expect(distances.slice(0, denoised.length)).toEqual([...denoised.keys()])
    for (const { position, code, noise } of denoised) {
      const { latent, timestep } = before.get(position) as Noise
      denoise(latent, table, code * width, noiseSchedules.linear, timestep, noise?.timestep as number)
      expect(noise?.latent).toEqual(latent)
    }
  }
})

test.each([
  ['clean', clean],
  ['noisy', noisy],
])('stale is what the pass was fed otherwise than it is now committed or held: %s', (_, pieces) => {
  const layout = [7, ...Array.from({ length: 4 }, () => [-1, -1, -1, -1, 7]).flat()]
  const page = toy({ layout, rowLength: 5, codes: 3 })
  let found = 0
  const watching: Branching = {
    name: 'watching',
    verify: 'gumbel',
    grow(trunk, { drafts }, stale) {
      const held = new Map(trunk.map(({ position, code }) => [position, code]))
      const now = (position: number) => held.get(position) ?? image.tokens[position] - page.model.image.first
      const expected = drafts.filter(({ position, code, noise }) => noise !== null || code !== now(position))
      // behind the front, a chain that ends there has nothing that anything was drawn from
      if (trunk.length > 0) expect([...stale].sort()).toEqual(expected.map(({ position }) => position).sort())
      found += stale.size
      return [...trunk]
    },
  }
  const policy = chain({ ...pieces, window: 6, verify: gumbel, refine: gumbel, branches: watching })
  const { image, worker } = start(page, { policy })
  while (!image.done) image.advance(worker.forward(image.plan()))
  expect(found).toBeGreaterThan(5)
})

test('behind a branch that turned out right, what followed it becomes the trunk, and what is beyond stays', () => {
  const drafts = [
    draftOf({ position: 0, code: 0 }),
    draftOf({ position: 1, code: 1 }),
    draftOf({ position: 2, code: 2 }),
    draftOf({ position: 0, code: 3, parent: -1 }),
    draftOf({ position: 1, code: 4, parent: 3 }),
  ]
  const same: Draw = { ...keeping, draw: ({ code }) => ({ code, proposal: { kind: 'one-hot' } }) }
  const page = toy({ layout: [-1, -1, -1, -1], rowLength: 4, codes: 5 })
  const { image } = start(page, { policy: chain({ ...clean, window: 0 }) })
  const pass = { ...passOf(new Float32Array(5), {}), drafts }
  const refined = chain({ ...clean, refine: same }).refine(pass, image, { codes: [3], held: [3] })
  expect(refined.map(({ code }) => code)).toEqual([4, 2])
})

test('behind a branch that turned out right, the window goes on along the trunk', () => {
  const page = toy({ layout: Array.from({ length: 60 }, () => -1), rowLength: 6, codes: 3 })
  let turns = 0
  const watching: Branching = {
    ...runnersUp(20),
    grow(trunk, pass, stale) {
      const end = Math.max(image.committed - 1, ...pass.drafts.map(({ position }) => position))
      expect(trunk.map(({ position }) => position)).toEqual(
        Array.from({ length: Math.min(end + 2, 59) - image.committed }, (_, i) => image.committed + i),
      )
      turns += Number(
        pass.drafts[0]?.code !== image.tokens[pass.drafts[0]?.position] - page.model.image.first,
      )
      return runnersUp(20).grow(trunk, pass, stale)
    },
  }
  const policy = chain({ ...clean, window: 12, verify: gumbel, refine: gumbel, branches: watching })
  const { image, worker } = start(page, { policy })
  while (!image.done) image.advance(worker.forward(image.plan()))
  expect(turns).toBeGreaterThan(3)
})

test.each<[string, ChainPieces, boolean]>([
  ['clean drafts', clean, true],
  [
    'noise that is gone after one step',
    { ...noisy, initialize: gaussian(1), denoise: denoiseByPasses(1) },
    true,
  ],
  ['noise of several steps', noisy, false],
])('the pass’s last row drafts the position that enters next: %s', (_, pieces, drafted) => {
  const page = toy({ layout: Array.from({ length: 40 }, () => -1), rowLength: 8, codes: 6 })
  const policy = chain({ ...pieces, window: 6 })
  let entered = 0
  for (const seed of [1, 2, 3]) {
    const { image, worker } = start(page, { policy, seed })
    while (image.committed < 30) {
      const last = image.drafts[image.drafts.length - 1].position
      const logits = worker.forward(image.plan())
      image.advance(logits)
      const next = image.drafts.find(({ position }) => position === last + 1)
      if (next === undefined) continue // it is committed
      entered += 1
      expect(next.proposal?.kind === 'dense').toBe(drafted)
      if (next.proposal?.kind !== 'dense') continue
      expect(next.noise).toBeNull()
      const row = logits.slice(-6).map((logit) => Math.exp(logit))
      const total = row.reduce((sum, weight) => sum + weight)
      next.proposal.probabilities.forEach((p, v) => {
        expect(p).toBeCloseTo(row[v] / total, 5)
      })
    }
  }
  expect(entered).toBeGreaterThan(20)
})

test('a policy may commit no more than the drafts that it holds: the last is fed again', () => {
  const page = toy({ layout: Array.from({ length: 40 }, () => -1), rowLength: 8, codes: 3 })
  const policy = chain({ ...clean, window: 6, verify: gumbel, refine: gumbel })
  const [image, modest] = [policy, withoutBonus(policy)].map((policy) => {
    const { image, worker } = start(page, { policy })
    while (!image.done) {
      const plan = image.plan()
      expect(plan.rows[0]).toBeGreaterThanOrEqual(0)
      image.advance(worker.forward(plan))
    }
    return image
  })
  expect(modest.tokens).toEqual(image.tokens)
  expect(modest.passes).toBeGreaterThan(image.passes)
})

function withoutBonus(policy: DecodingPolicy): DecodingPolicy {
  return {
    ...policy,
    verify(pass, image) {
      const { codes, held } = policy.verify(pass, image)
      return { codes: codes.slice(0, Math.max(1, held.length)), held }
    },
  }
}

test('branches are cut where the slot would have no cells for them', () => {
  const layout = [7, ...Array.from({ length: 60 }, () => [-1, -1, 7]).flat()]
  const page = toy({ layout, rowLength: 3, codes: 4 })
  const policy = chain({ ...clean, window: 40, verify: gumbel, refine: gumbel, branches: runnersUp(1000) })
  const { image, worker } = start(page, { policy })
  const filled: number[] = []
  while (!image.done) {
    const plan = image.plan()
    filled.push(plan.base + plan.tokens.length)
    image.advance(worker.forward(plan))
  }
  expect(Math.max(...filled)).toBe(1 + layout.length + SPARE_CELLS)
})
