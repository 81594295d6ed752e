import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LATENT, type PassPlan } from '../../src/decoding/pass.js'
import { splitPlan } from '../../src/engine/split.js'

/** `chain` entries one after the other and behind them `leaves` that see the chain and themselves only. */
function treePlan(chain: number, leaves: number): PassPlan {
  const entries = chain + leaves
  const stride = Math.ceil(entries / 8)
  const mask = new Uint8Array(entries * stride)
  for (let i = 0; i < entries; i++) {
    for (let j = 0; j < entries; j++) {
      if (j === i || (j < i && j < chain)) mask[i * stride + (j >> 3)] |= 1 << (j & 7)
    }
  }
  return { ...chainPlan(entries), mask }
}

/** Entries that see some of those before them, and of the three cells before these. */
function scatteredPlan(entries: number, seed: number): PassPlan {
  const stride = Math.ceil((3 + entries) / 8)
  const mask = new Uint8Array(entries * stride)
  for (let i = 0; i < entries; i++) {
    for (let bit = 0; bit <= 3 + i; bit++) {
      if (bit === 3 + i || ((i + 1) * (bit + 2) * seed) % 7 < 4)
        mask[i * stride + (bit >> 3)] |= 1 << (bit & 7)
    }
  }
  return { ...chainPlan(entries), mask, before: 3 }
}

/** Every third entry is noisy; latents are [width 2] and tell which entry they belong to. */
function chainPlan(entries: number): PassPlan {
  const tokens = Int32Array.from({ length: entries }, (_, i) => (i % 3 === 2 ? LATENT : 100 + i))
  const noisy = [...tokens.keys()].filter((i) => tokens[i] === LATENT)
  return {
    base: 5,
    tokens,
    positions: tokens.map((_, i) => 4 + i),
    latents: Float32Array.from(noisy.flatMap((i) => [i, -i])),
    timesteps: Float32Array.from(noisy, (i) => i / 1000),
    rows: tokens.map((_, i) => i).filter((i) => i % 2 === 1),
    keep: Int32Array.of(1, 3),
  }
}

/** Each entry of plans that are forwarded in a row, with the entries that it sees, counted over all of them. */
function sights(plans: readonly PassPlan[]): number[][] {
  const first = plans[0].base
  return plans.flatMap(({ base, tokens, mask, before = 0 }) =>
    [...tokens.keys()].map((i) => {
      const stride = Math.ceil((before + tokens.length) / 8)
      return Array.from({ length: base + tokens.length }, (_, cell) => cell)
        .filter((cell) => {
          const bit = cell - (base - before)
          if (mask === undefined) return cell <= base + i
          return bit < 0 || ((mask[i * stride + (bit >> 3)] >> (bit & 7)) & 1) === 1
        })
        .map((cell) => cell - first)
    }),
  )
}

function flat(plans: readonly PassPlan[], key: 'tokens' | 'positions' | 'latents' | 'timesteps'): number[] {
  return plans.flatMap((plan) => [...plan[key]])
}

function rowPositions(plans: readonly PassPlan[]): number[] {
  return plans.flatMap(({ rows, positions }) => [...rows].map((row) => positions[row]))
}

function expectSame(whole: PassPlan, pieces: readonly PassPlan[]) {
  for (const key of ['tokens', 'positions', 'latents', 'timesteps'] as const) {
    expect(flat(pieces, key)).toEqual(flat([whole], key))
  }
  expect(rowPositions(pieces)).toEqual(rowPositions([whole]))
  expect(sights(pieces)).toEqual(sights([whole]))
  expect(pieces.map(({ keep }) => keep)).toEqual(pieces.map((_, i) => (i === 0 ? whole.keep : undefined)))
}

describe('a plan in pieces', () => {
  test('feeds the same entries, and each sees the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 45 }), (entries, limit) => {
        const pieces = splitPlan(chainPlan(entries), limit)
        expectSame(chainPlan(entries), pieces)
        expect(pieces.length).toBe(Math.ceil(entries / limit))
      }),
    )
  })

  test('is cut anywhere, also where it is a tree', () => {
    const shape = fc.record({
      chain: fc.integer({ min: 1, max: 20 }),
      leaves: fc.integer({ min: 2, max: 9 }),
    })
    fc.assert(
      fc.property(shape, fc.integer({ min: 10, max: 30 }), ({ chain, leaves }, limit) => {
        const whole = treePlan(chain, leaves)
        const pieces = splitPlan(whole, limit)
        expectSame(whole, pieces)
        expect(pieces.length).toBe(Math.ceil((chain + leaves) / limit))
      }),
    )
  })

  test('says of cells before it what it said as a whole', () => {
    const shape = fc.record({
      entries: fc.integer({ min: 1, max: 30 }),
      seed: fc.integer({ min: 1, max: 6 }),
    })
    fc.assert(
      fc.property(shape, fc.integer({ min: 1, max: 30 }), ({ entries, seed }, limit) => {
        const whole = scatteredPlan(entries, seed)
        const pieces = splitPlan(whole, limit)
        expectSame(whole, pieces)
        expect(pieces.length).toBe(Math.ceil(entries / limit))
      }),
    )
  })

  test('says of its own entries alone where they see all that is before them', () => {
    const [first, second] = splitPlan(treePlan(6, 3), 6)
    expect([first.before, second.before]).toEqual([undefined, undefined])
  })

  test('is the plan itself where it fits', () => {
    const whole = chainPlan(7)
    expect(splitPlan(whole, 7)).toEqual([whole])
    expect(splitPlan(whole, 7)[0]).toBe(whole)
  })

  test('is refused where entries see later ones', () => {
    const mutual = { ...chainPlan(9), mask: new Uint8Array(9 * 2).fill(255) }
    expect(() => splitPlan(mutual, 8)).toThrowError(expect.objectContaining({ code: 'too-large' }))
  })
})
