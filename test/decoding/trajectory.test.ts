import { describe, expect, test, vi } from 'vitest'
import {
  ANCHOR,
  chain,
  createPolicy,
  type DecodingPolicy,
  type Draw,
  exactPrefix,
  gaussian,
  gumbel,
  ImageRandom,
  LATENT,
  type PassPlan,
  type PassRecord,
  type PolicyOverrides,
  policyNames,
  random,
  Trajectory,
} from '../../src/index.js'
import { plainSampling, start } from '../support/fake-pass.js'
import { FakeWorker } from '../support/fake-worker.js'
import { toy } from '../support/toy-model.js'

const START = 4
const NEWLINE = 7
const END = 9
/** Two forced tokens, three rows of four codes and a new line, an end. */
const layout = [START, START, ...Array.from({ length: 3 }, () => [-1, -1, -1, -1, NEWLINE]).flat(), END]
const page = toy({ layout, rowLength: 5, codes: 4 })
const plain = toy({ layout: Array.from({ length: 12 }, () => -1), rowLength: 4, codes: 4 })

const policy = (name: string, overrides: PolicyOverrides = {}) => createPolicy(name, overrides, page.model)

describe('plan', () => {
  test('feeds anchor and forced tokens first, then the window with forced tokens in their places', () => {
    const { image } = start(page, { policy: policy('sjd', { window: 5 }) })
    const plan = image.plan()
    expect(plan.base).toBe(0)
    expect([...plan.positions]).toEqual([-1, 0, 1, 2, 3, 4, 5, 6, 7])
    expect([...plan.tokens.subarray(0, 3)]).toEqual([ANCHOR, START, START])
    expect(plan.tokens[7]).toBe(NEWLINE)
    const drafts = [3, 4, 5, 6, 8].map((entry) => plan.tokens[entry])
    expect(drafts.every((id) => id >= 10 && id < 14)).toBe(true)
    // Rows: what predicts positions 2, 3, 4, 5, 7 (6 is forced) and the bonus position 8.
    expect([...plan.rows]).toEqual([2, 3, 4, 5, 7, 8])
    expect(plan.mask).toBeUndefined()
    expect(plan.keep).toBeUndefined()
  })

  test('feeds latents with their timesteps where entries are noisy', () => {
    const { image, worker } = start(page, { policy: policy('sjd2', { window: 5, levels: 4 }) })
    const plan = image.plan()
    expect([...plan.tokens]).toEqual([ANCHOR, START, START, LATENT, LATENT, LATENT, LATENT, NEWLINE, LATENT])
    expect([...plan.timesteps]).toEqual([1, 1, 1, 1, 1])
    expect(plan.latents).toHaveLength(5 * page.model.embeddings.width)
    expect([...plan.latents]).toEqual(image.drafts.flatMap(({ noise }) => [...(noise?.latent ?? [])]))
    // Of four levels, each pass takes one.
    for (const left of [3, 2, 1]) {
      image.advance(worker.forward(image.plan()))
      const levels = image.drafts.map(({ noise }) => noise?.level)
      expect(levels).toContain(left)
      expect([...image.plan().timesteps]).toEqual(levels.map((level) => (level ?? 0) / 4))
      expect([...image.plan().latents]).toEqual(
        image.drafts.flatMap(({ noise }) => [...(noise?.latent ?? [])]),
      )
    }
  })

  test('gives equal plans until it advances, whatever becomes of those given', () => {
    const { image, worker } = start(page, { policy: policy('sjd2', { levels: 4 }) })
    for (let pass = 0; pass < 4; pass += 1) {
      const plan = image.plan()
      const again = image.plan()
      expect(again).toEqual(plan)
      plan.tokens.fill(0)
      plan.latents.fill(0)
      expect(image.plan()).toEqual(again)
      image.advance(worker.forward(again))
    }
  })

  test('sequential decoding feeds the last committed token, and forced ones behind it', () => {
    const { image, worker } = start(page, { policy: policy('autoregressive') })
    const fed: number[][] = []
    while (!image.done) {
      const plan = image.plan()
      fed.push([...plan.positions])
      image.advance(worker.forward(plan))
    }
    expect(fed).toEqual([[-1, 0, 1], [2], [3], [4], [5, 6], [7], [8], [9], [10, 11], [12], [13], [14]])
  })

  test('never feeds the last free position, nor the forced tokens behind it', () => {
    for (const name of policyNames) {
      const { image, worker } = start(page, { policy: policy(name) })
      while (!image.done) {
        const plan = image.plan()
        expect(Math.max(...plan.positions)).toBeLessThanOrEqual(14)
        image.advance(worker.forward(plan))
      }
    }
  })

  test('relaxed: accepted entries that were noisy are fed again, clean, in the next pass', () => {
    const relaxed = policy('sjd2', { verify: 'relaxed', levels: 20, window: 8 })
    const keeping = policy('sjd2', { verify: 'relaxed', keepNoisyKeys: true, levels: 20, window: 8 })
    let fedAgain = 0
    for (let seed = 0; seed < 10; seed += 1) {
      for (const chosen of [relaxed, keeping]) {
        const { image, worker } = start(page, { policy: chosen, seed })
        let before = 0
        while (!image.done) {
          const plan = image.plan()
          const committedNow = [...plan.positions].filter((position) => position < image.committed)
          committedNow.forEach((position, i) => {
            expect(plan.tokens[i]).toBe(position < 0 ? ANCHOR : image.tokens[position])
          })
          if (image.passes > 0) {
            if (chosen === relaxed) expect(plan.base).toBe(before + 1)
            else expect(plan.base).toBeGreaterThanOrEqual(before + 1)
            if (chosen === relaxed && committedNow.length > 2) fedAgain += 1
          }
          before = image.committed
          image.advance(worker.forward(plan))
        }
      }
    }
    expect(fedAgain).toBeGreaterThan(0)
  })
})

describe('the end of an image', () => {
  test.each(policyNames)('%s commits every position, free ones as codes, forced ones as forced', (name) => {
    const { image, worker } = start(page, { policy: policy(name) })
    worker.decode(image)
    expect(image.committed).toBe(image.length)
    layout.forEach((forced, j) => {
      if (forced >= 0) expect(image.tokens[j]).toBe(forced)
      else expect(image.tokens[j]).toSatisfy((id: number) => id >= 10 && id < 14)
    })
  })

  test('an image of forced tokens alone is done before any pass', () => {
    const forced = toy({ layout: [START, END], rowLength: 2 })
    const { image } = start(forced, { policy: createPolicy('sjd2', {}, forced.model) })
    expect(image.done).toBe(true)
    expect([...image.tokens]).toEqual([START, END])
    expect(() => image.plan()).toThrow('finished')
    expect(() => image.advance(new Float32Array(3))).toThrow('finished')
  })

  test('a window larger than the image is cut to it', () => {
    const { image } = start(page, { policy: policy('sjd', { window: 1000 }) })
    expect(image.plan().rows).toHaveLength(12)
  })
})

describe('determinism', () => {
  const exact = policyNames.filter((name) => policy(name).exact)

  test.each(policyNames)(
    '%s: same seed and index, same image; another seed or index, another image',
    (name) => {
      const decode = (seed: number | bigint, index: number) => {
        const { image, worker } = start(page, { policy: policy(name), seed, index })
        worker.decode(image)
        return image.tokens.join(' ')
      }
      expect(decode(3, 1)).toBe(decode(3n, 1))
      if (name !== 'jacobi') {
        expect(new Set([decode(3, 1), decode(4, 1), decode(3, 2)]).size).toBe(3)
      }
    },
  )

  test.each(policyNames)('%s: what an image prepares changes neither its passes nor its tokens', (name) => {
    const { image, worker } = start(page, { policy: policy(name) })
    const { image: prepared, worker: other } = start(page, { policy: policy(name) })
    for (let turns = 0; !image.done; turns = (turns + 3) % 7) {
      const plan = image.plan()
      for (let turn = 0; turn < turns; turn += 1) prepared.prepare()
      expect(prepared.plan()).toEqual(plan)
      image.advance(worker.forward(plan))
      prepared.advance(other.forward(plan))
    }
    expect(prepared.done).toBe(true)
    expect(prepared.prepare()).toBe(false)
    expect(prepared.tokens).toEqual(image.tokens)
  })

  test.each(exact)('%s: a worker that loses its cells after any pass changes nothing', (name) => {
    const { image, worker } = start(page, { policy: policy(name) })
    worker.decode(image)
    for (let lost = 0; lost < image.passes; lost += 1) {
      const again = start(page, { policy: policy(name) }).image
      let current = new FakeWorker(page)
      while (!again.done) {
        if (again.passes === lost) {
          again.plan()
          current = new FakeWorker(page)
          again.forgetCells()
          expect(again.plan().base).toBe(0)
          expect(again.plan().tokens[0]).toBe(ANCHOR)
        }
        again.advance(current.forward(again.plan()))
      }
      expect(again.tokens).toEqual(image.tokens)
      expect(again.passes).toBe(image.passes)
    }
  })
})

describe('what is prepared while a forward is under way', () => {
  /** How often noise was drawn in `prepare`, and in `advance` then. */
  function draws(chosen: DecodingPolicy) {
    const drawn = { prepare: 0, advance: 0 }
    let now: keyof typeof drawn = 'advance'
    const { strong, normals } = ImageRandom.prototype
    vi.spyOn(ImageRandom.prototype, 'strong').mockImplementation(function (this: ImageRandom, ...args) {
      drawn[now] += 1
      return strong.apply(this, args)
    })
    vi.spyOn(ImageRandom.prototype, 'normals').mockImplementation(function (this: ImageRandom, ...args) {
      drawn[now] += 1
      normals.apply(this, args)
    })
    const { image, worker } = start(page, { policy: chosen })
    image.advance(worker.forward(image.plan()))
    drawn.advance = 0
    while (!image.done) {
      now = 'prepare'
      for (let most = 40; image.prepare(); most -= 1) expect(most).toBeGreaterThan(0)
      now = 'advance'
      image.advance(worker.forward(image.plan()))
    }
    vi.restoreAllMocks()
    return drawn
  }

  test('is the noise that decides, and the latents that enter', () => {
    const { prepare, advance } = draws(policy('sjd2', { window: 4 }))
    expect(prepare).toBeGreaterThan(4)
    // behind the last draft, where all were accepted
    expect(advance).toBeLessThan(prepare / 4)
  })

  test('is a few thousand numbers at a time', () => {
    // what was drafted stays right, so that a whole window enters at once
    const layout = Array.from({ length: 40 }, () => -1)
    const large = toy({ layout, rowLength: 8, codes: 5000, sharpness: 0 })
    const { image, worker } = start(large, { policy: createPolicy('sjd2', { window: 12 }, large.model) })
    const strong = vi.spyOn(ImageRandom.prototype, 'strong')
    for (let pass = 0; pass < 2; pass += 1) image.advance(worker.forward(image.plan()))
    strong.mockClear()
    expect(image.history[1]).toBe(13)
    image.prepare()
    expect(strong).toHaveBeenCalledTimes(2)
    image.prepare()
    expect(strong).toHaveBeenCalledTimes(4)
    vi.restoreAllMocks()
  })

  test('is nothing where noise neither decides nor enters', () => {
    expect(draws(policy('sjd', { window: 4 }))).toEqual({ prepare: 0, advance: 0 })
  })
})

describe('the record of a pass', () => {
  test.each(policyNames)('%s: records add up to the image', (name) => {
    const records: PassRecord[] = []
    const { image, worker } = start(page, {
      policy: policy(name, {}),
      onPass: (record) => records.push(record),
    })
    const plans: PassPlan[] = []
    while (!image.done) {
      const plan = image.plan()
      plans.push(plan)
      image.advance(worker.forward(plan))
    }
    expect(records.map(({ pass }) => pass)).toEqual(plans.map((_, i) => i))
    expect(records.map(({ entries }) => entries)).toEqual(plans.map(({ tokens }) => tokens.length))
    expect(records[0].committedBefore).toBe(2)
    expect(records.at(-1)?.committed).toBe(image.length)
    records.forEach((record, i) => {
      if (i > 0) expect(record.committedBefore).toBe(records[i - 1].committed)
      const { tokens, positions, mask } = plans[i]
      record.drafts.forEach((id, d) => {
        const fed = tokens[positions.indexOf(record.windowStart + d)]
        expect(fed).toBe(record.levels[d] === 0 ? id : LATENT)
      })
      const accepted = record.drafts.filter((id, d) => {
        const j = record.windowStart + d
        return j < record.committed && layout[j] < 0 && image.tokens[j] === id
      })
      // a tree holds more drafts than the record shows
      if (mask === undefined) expect(record.accepted).toBe(accepted.length)
      else expect(record.accepted).toBeGreaterThanOrEqual(accepted.length)
    })
  })

  test('history counts the codes that each pass committed', () => {
    const { image, worker } = start(page, { policy: policy('mc-sjd') })
    worker.decode(image)
    expect(image.history).toHaveLength(worker.passes)
    expect(image.history.reduce((sum, codes) => sum + codes, 0)).toBe(12)
  })
})

describe('rows that nobody reads', () => {
  const keep: Draw = {
    name: 'keep',
    follows: 'model',
    trusting: true,
    draw: ({ code, proposal }) => ({ code, proposal: proposal ?? { kind: 'uniform' } }),
  }
  const lazy = chain({
    name: 'lazy',
    window: 6,
    initialize: random,
    verify: gumbel,
    prefix: exactPrefix,
    refine: keep,
    denoise: null,
  })

  test('are never looked at, damaged or not', () => {
    const { image, worker } = start(plain, { policy: lazy })
    while (!image.done) {
      const logits = worker.forward(image.plan())
      const before = image.drafts.map(({ code }) => code)
      // What a pass will commit is found out on a copy of the image.
      const { image: copy, worker: other } = start(plain, { policy: lazy })
      while (copy.passes <= image.passes) copy.advance(other.forward(copy.plan()))
      const read = Math.min(copy.history[image.passes], before.length + 1)
      logits.fill(Number.NaN, read * 4)
      image.advance(logits)
    }
    expect(image.done).toBe(true)
  })

  test('but damaged rows that are read are refused', () => {
    const { image, worker } = start(plain, { policy: lazy })
    const logits = worker.forward(image.plan()).fill(Number.NaN)
    expect(() => image.advance(logits)).toThrow('no distribution')
  })
})

describe('what is refused', () => {
  test('logits of another shape', () => {
    const { image } = start(page, { policy: policy('sjd', { window: 3 }) })
    expect(() => image.advance(new Float32Array(12))).toThrow('4 rows of 4 logits, 16 in all, but 12 came')
  })

  test('a window that is no number', () => {
    const pieces = { initialize: random, verify: gumbel, refine: gumbel, prefix: exactPrefix, denoise: null }
    const broken = chain({ ...pieces, name: 'broken', window: ({ history }) => history[0] / history.length })
    expect(() => start(page, { policy: broken })).toThrow('broken asks for a window of NaN')
  })

  test('noise from an initialiser that says it makes none', () => {
    const sly = { ...gaussian(2), noisy: false }
    const pieces = { initialize: sly, verify: gumbel, refine: gumbel, prefix: exactPrefix, denoise: null }
    expect(() => start(page, { policy: chain({ ...pieces, name: 'sly', window: 3 }) })).toThrow('makes none')
  })

  test('settings that make no distribution', () => {
    expect(() => start(page, { policy: policy('sjd'), sampling: { ...plainSampling, topP: 0 } })).toThrow(
      'Top-p',
    )
  })

  test('noisy entries for a checkpoint that cannot read them', () => {
    const sequential = toy({ layout: [-1, -1], rowLength: 2, denoising: null })
    expect(() => start(sequential, { policy: policy('sjd2') })).toThrow('not trained')
  })

  test.each([
    { codes: [], held: [] },
    { codes: [0, 0, 0, 0, 0], held: [] },
    { codes: [0], held: [0, 1] },
    { codes: [0], held: [1] },
    { codes: [0], held: [3] },
    { codes: [0, -1], held: [] },
    { codes: [4], held: [] },
    { codes: [0.5], held: [] },
  ])('a verdict of %o over three drafts', (verdict) => {
    const broken: DecodingPolicy = { ...policy('sjd', { window: 3 }), name: 'broken', verify: () => verdict }
    const { image, worker } = start(page, { policy: broken })
    const logits = worker.forward(image.plan())
    expect(() => image.advance(logits)).toThrow('broken committed')
  })
})

test('latents and plans lie in memory that is used again, never in memory that is still in use', () => {
  const { image, worker } = start(page, { policy: policy('sjd2', { window: 4, levels: 3 }) })
  const latents = new Set<Float32Array>()
  const plans = new Set<ArrayBufferLike>()
  while (!image.done) {
    const plan = image.plan()
    const held = image.drafts.flatMap(({ noise }) => noise?.latent ?? [])
    expect(new Set(held).size).toBe(held.length)
    expect([...plan.latents]).toEqual(held.flatMap((latent) => [...latent]))
    expect(held.every(({ buffer }) => buffer !== plan.latents.buffer)).toBe(true)
    for (const latent of held) latents.add(latent)
    if (held.length > 0) plans.add(plan.latents.buffer)
    image.advance(worker.forward(plan))
  }
  expect(image.passes).toBeGreaterThan(4)
  expect(plans.size).toBe(1)
  // those of a window, and of the ones that enter before others are taken back
  expect(latents.size).toBeLessThanOrEqual(8)
})

test('proposals survive the reuse of their vectors', () => {
  const seen = new Map<Float32Array, string>()
  const watched: DecodingPolicy = { ...policy('mc-sjd', { window: 6 }) }
  const { image, worker } = start(page, {
    policy: {
      ...watched,
      verify(pass, state) {
        for (const { proposal } of state.drafts) {
          if (proposal?.kind === 'dense')
            expect(proposal.probabilities.join(' ')).toBe(seen.get(proposal.probabilities))
        }
        return watched.verify(pass, state)
      },
      refine(pass, state, verdict) {
        const drafts = watched.refine(pass, state, verdict)
        seen.clear()
        for (const { proposal } of drafts) {
          if (proposal?.kind === 'dense') seen.set(proposal.probabilities, proposal.probabilities.join(' '))
        }
        return drafts
      },
    },
  })
  worker.decode(image)
  expect(image.passes).toBeGreaterThan(2)
})

test('an image holds the noise of its window, however long it is', () => {
  const long = toy({ layout: Array.from({ length: 200 }, () => -1), rowLength: 10 })
  const coupled = createPolicy('mc-sjd', { coupling: 'gumbel', window: 8 }, long.model)
  const seen = new Set<Float32Array>()
  const { image, worker } = start(long, {
    policy: {
      ...coupled,
      verify(pass, state) {
        for (const { position } of [...state.drafts, pass.behind(state.drafts.length - 1)])
          seen.add(pass.exponentials(position))
        return coupled.verify(pass, state)
      },
    },
  })
  worker.decode(image)
  // two vectors for each position: the race is run on the numbers' logarithms
  expect(seen.size).toBeLessThanOrEqual(18)
})

test('images decoded in turns are what they are alone', () => {
  const images = [0, 1, 2, 3].map((index) => start(page, { policy: policy('mc-sjd'), index }))
  const alone = images.map((_, index) => {
    const image = new Trajectory({
      model: page.model,
      policy: policy('mc-sjd'),
      sampling: plainSampling,
      seed: 1,
      index,
    })
    new FakeWorker(page).decode(image)
    return image.tokens
  })
  while (images.some(({ image }) => !image.done)) {
    for (const { image, worker } of images) if (!image.done) image.advance(worker.forward(image.plan()))
  }
  images.forEach(({ image }, index) => {
    expect(image.tokens).toEqual(alone[index])
  })
})
