import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { denoise, noiseSchedules } from '../../src/index.js'

const schedules = Object.entries(noiseSchedules)
const timestep = fc.double({ min: 0, max: 1, noNaN: true })

describe.each(schedules)('%s', (_, schedule) => {
  test('has no noise at 0, hardly any signal at 1', () => {
    expect(schedule(0)).toEqual({ alpha: 1, sigma: 0 })
    expect(schedule(1).alpha).toBeLessThan(0.013)
    expect(schedule(1).sigma).toBeGreaterThan(0.9999)
  })

  test('has the more noise and the less signal the larger the timestep', () => {
    fc.assert(
      fc.property(timestep, timestep, (a, b) => {
        fc.pre(b - a > 1e-6)
        expect(schedule(b).sigma).toBeGreaterThan(schedule(a).sigma)
        expect(schedule(b).alpha).toBeLessThan(schedule(a).alpha)
      }),
      { seed: 1 },
    )
  })
})

test.each(['karras', 'cosine'] as const)('%s keeps the variance', (name) => {
  fc.assert(
    fc.property(timestep, (t) => {
      const { alpha, sigma } = noiseSchedules[name](t)
      expect(alpha ** 2 + sigma ** 2).toBeCloseTo(1, 12)
    }),
    { seed: 1 },
  )
})

test('linear is what its name says', () => {
  expect(noiseSchedules.linear(0.25)).toEqual({ alpha: 0.75, sigma: 0.25 })
})

test('karras spaces the seventh root of the noise-to-signal ratio evenly', () => {
  const root = (t: number) => {
    const { alpha, sigma } = noiseSchedules.karras(t)
    return (sigma / alpha) ** (1 / 7)
  }
  expect(root(1) ** 7).toBeCloseTo(80, 8)
  expect(root(1e-12) ** 7).toBeCloseTo(0.002, 8)
  expect(root(0.75) - root(0.5)).toBeCloseTo(root(0.5) - root(0.25), 10)
})

describe.each(schedules)('a step of denoising under %s', (_, schedule) => {
  const table = Float32Array.of(9, 9, 0.5, -1.5)
  const noise = Float32Array.of(-0.3, 1.1)
  const at = (t: number) => {
    const { alpha, sigma } = schedule(t)
    return Float32Array.of(alpha * table[2] + sigma * noise[0], alpha * table[3] + sigma * noise[1])
  }
  const expectClose = (actual: Float32Array, expected: Float32Array) => {
    actual.forEach((x, i) => {
      expect(x).toBeCloseTo(expected[i], 5)
    })
  }

  test('keeps the noise that is in the latent, at the smaller share', () => {
    fc.assert(
      fc.property(timestep, timestep, (a, b) => {
        fc.pre(a !== b)
        const [to, from] = a < b ? [a, b] : [b, a]
        // A latent that is all but clean says little about its noise: what is lost there is rounding.
        fc.pre(schedule(from).sigma > 1e-2)
        const latent = at(from)
        denoise(latent, table, 2, schedule, from, to)
        expectClose(latent, at(to))
      }),
      { seed: 1 },
    )
  })

  test('down to 0 gives the embedding itself', () => {
    const latent = at(1)
    denoise(latent, table, 2, schedule, 1, 0)
    expect(latent).toEqual(table.subarray(2))
  })

  test('many steps are one jump', () => {
    const [slow, fast] = [at(1), at(1)]
    for (let level = 8; level > 2; level -= 1) denoise(slow, table, 2, schedule, level / 8, (level - 1) / 8)
    denoise(fast, table, 2, schedule, 1, 2 / 8)
    expectClose(slow, fast)
  })

  test('is the formula of SJD2', () => {
    const [k, S] = [3, 5]
    const { alpha, sigma } = schedule(k / S)
    const next = schedule((k - 1) / S)
    const latent = Float32Array.of(0.7, -0.2)
    denoise(latent, table, 2, schedule, k / S, (k - 1) / S)
    const ratio = next.sigma / sigma
    expectClose(
      latent,
      Float32Array.from(
        [0.7, -0.2],
        (e, i) => ratio * e + alpha * (next.alpha / alpha - ratio) * table[2 + i],
      ),
    )
  })
})
