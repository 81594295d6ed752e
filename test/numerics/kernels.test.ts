import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ImageRandom,
  type Logits,
  probabilities,
  type RaceNoise,
  race,
  type Sampling,
  winner,
} from '../../src/numerics/index.js'
import { exponentials, floatsOf, normals, strong } from '../../src/numerics/kernels.js'
import { plainProbabilities } from '../../src/numerics/probabilities.js'
import { plainExponentials, plainNormals } from '../../src/numerics/stream.js'

const stream = { purpose: 4, image: 7, position: 2 ** 31, iteration: 3, key0: 0xdeadbeef, key1: 0xfeedface }

/** Logits of a row, [count], of deviation `spread`; `step` makes some of them equal. */
function rowOf(row: number, count: number, spread: number, step = 0): Float32Array {
  const values = new Float32Array(count)
  plainNormals({ ...stream, position: row }, values)
  return values.map((value) => (step > 0 ? Math.round((value * spread) / step) * step : value * spread))
}

/** The bits of numbers as halves, truncated: any bits will do. */
function halvesOf(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, (value) => {
    const exponent = Math.floor(Math.log2(Math.abs(value) || 2 ** -14))
    const fraction = Math.floor((Math.abs(value) / 2 ** exponent - 1) * 1024)
    return (value < 0 ? 0x8000 : 0) | (exponent < -14 ? 0 : ((exponent + 15) << 10) | Math.max(0, fraction))
  })
}

test('the kernels are those that their source compiles to', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kernels-'))
  const outFile = join(folder, 'kernels.wasm')
  const args = ['kernels/index.ts', '--config', 'kernels/asconfig.json', '--target', 'release']
  execFileSync(process.execPath, ['node_modules/assemblyscript/bin/asc.js', ...args, '--outFile', outFile])
  const same = readFileSync(outFile).equals(readFileSync('src/numerics/kernels.wasm'))
  rmSync(folder, { recursive: true })
  expect(same, 'npm run kernels').toBe(true)
})

describe('random numbers by kernels', () => {
  test.each([1, 15, 16, 8192, 100_003])('%i exponential numbers are their twin’s to the bit', (count) => {
    const [fast, plain] = [new Float32Array(count), new Float32Array(count)]
    exponentials(stream, fast)
    plainExponentials(stream, plain)
    expect(fast).toEqual(plain)
  })

  test.each([1, 15, 16, 8192, 100_003])('of %i, the strong noise is that of an eighth, to 2e-6', (count) => {
    const plain = new Float32Array(count)
    plainExponentials(stream, plain)
    const threshold = -Math.log(7 / 8)
    const codes = [...plain.keys()].filter((code) => plain[code] < threshold)
    const record = strong(stream, count)
    const size = record[7]
    // beyond the count there may be more: of no code
    const found = [...record.subarray(8, 8 + record[6])].filter((code) => code < count)
    expect(found).toEqual(codes)
    const noise = new Float32Array(record.buffer, record.byteOffset + 4 * (8 + size), size)
    const errors = codes.map((code, i) => Math.abs(noise[i] + Math.log(plain[code])))
    expect(Math.max(0, ...errors)).toBeLessThan(2e-6)
    expect(size % 4).toBe(0)
    expect(record.length).toBe(8 + 2 * size)
  })

  test('normal numbers are their twin’s but for the last bit of one in a million', () => {
    const [fast, plain] = [new Float32Array(100_001), new Float32Array(100_001)]
    normals(stream, fast)
    plainNormals(stream, plain)
    const errors = fast.map((value, i) => Math.abs(value - plain[i]) / Math.abs(plain[i]))
    expect(Math.max(...errors)).toBeLessThan(2 ** -22)
    expect(errors.filter((error) => error > 0).length).toBeLessThanOrEqual(1)
  })
})

/** A position's noise, of `count` codes. */
function noiseAt(random: ImageRandom, position: number, count: number): RaceNoise {
  const exponentials = new Float32Array(count)
  random.exponentials(position, exponentials)
  return { count, strong: random.strong(position, count), exponentials }
}

const samplings: [string, Sampling][] = [
  ['plain', { temperature: 1, topK: 0, topP: 1 }],
  ['top-k', { temperature: 1, topK: 200, topP: 1 }],
  ['top-1', { temperature: 1, topK: 1, topP: 1 }],
  ['cool top-k', { temperature: 0.3, topK: 50, topP: 1 }],
  ['all of top-k', { temperature: 2, topK: 1000, topP: 1 }],
  ['greedy', { temperature: 0, topK: 0, topP: 1 }],
  ['top-p', { temperature: 1, topK: 400, topP: 0.9 }],
]
const rows: [string, Float32Array][] = [
  ['spread out', rowOf(1, 1000, 2.5)],
  ['flat', rowOf(2, 1000, 0.01)],
  ['steep', rowOf(3, 1000, 60)],
  ['with ties', rowOf(4, 1000, 2, 0.5)],
  ['all equal', new Float32Array(1000).fill(3)],
  ['mostly forbidden', rowOf(5, 1000, 2).map((value, i) => (i % 10 === 0 ? value : -Infinity))],
  ['an odd number', rowOf(6, 37, 1)],
]

describe.each(rows)('a row that is %s', (_, row) => {
  test.each(samplings)('has its twin’s probabilities to the bit: %s', (_, sampling) => {
    const [fast, plain] = [new Float32Array(row.length), new Float32Array(row.length)]
    const offset = 3
    const logits = Float32Array.of(9, 9, NaN, ...row, 99)
    probabilities(logits, offset, sampling, fast)
    plainProbabilities(logits, offset, sampling, plain)
    expect(fast).toEqual(plain)
  })

  test.each(samplings)('is won by the code that wins the race of its probabilities: %s', (_, sampling) => {
    const random = new ImageRandom(5, 1)
    const p = new Float32Array(row.length)
    plainProbabilities(row, 0, sampling, p)
    for (let position = 0; position < 400; position += 1) {
      const noise = noiseAt(random, position, row.length)
      expect(winner(row, 0, sampling, noise)).toBe(race(p, noise.exponentials))
    }
  })
})

test.each([
  ['strong', 'strong'],
  ['strong', 'weak'],
  ['weak', 'weak'],
])('codes whose scores are nearly equal are told apart by their probabilities: %s and %s', (one, other) => {
  // Two codes far above the others, whose scores differ by less and less, down to nothing.
  const sampling = { temperature: 1, topK: 8, topP: 1 }
  const p = new Float32Array(64)
  const random = new ImageRandom(2, 3)
  for (let i = 0; i < 1000; i += 1) {
    const noise = noiseAt(random, i, 64)
    const { exponentials: e } = noise
    const kind = (code: number) => (e[code] < -Math.log(7 / 8) ? 'strong' : 'weak')
    const codes = [...e.keys()]
    const a = codes.find((code) => kind(code) === one) as number
    const b = codes.findLast((code) => kind(code) === other) as number
    if (a === b || a === undefined || b === undefined) continue
    const row = new Float32Array(64)
    row[a] = 20 + Math.log(e[a])
    row[b] = 20 + Math.log(e[b]) + (i % 2 === 0 ? 1 : -1) * 2 ** (-i % 32)
    plainProbabilities(row, 0, sampling, p)
    expect(winner(row, 0, sampling, noise)).toBe(race(p, e))
  }
})

test('logits of half precision mean the same as their values', () => {
  const bits = halvesOf(rowOf(8, 1000, 2.5))
  const values = floatsOf(bits, 0, bits.length)
  const [fast, plain] = [new Float32Array(500), new Float32Array(500)]
  probabilities(bits, 100, samplings[1][1], fast)
  plainProbabilities(values, 100, samplings[1][1], plain)
  expect(fast).toEqual(plain)
})

test.each([
  ['spread out', halvesOf(rowOf(9, 1000, 2.5))],
  ['with ties', halvesOf(rowOf(4, 1000, 2, 0.5))],
  ['partly forbidden', halvesOf(rowOf(5, 1000, 2)).map((bits, i) => (i % 3 === 0 ? bits : 0xfc00))],
  ['tiny', Uint16Array.from({ length: 64 }, (_, i) => (i % 2 === 0 ? i : 0x8000 | i))],
  ['huge', Uint16Array.from({ length: 100 }, (_, i) => 0x7b00 + i)],
])('a row of half precision that is %s is won by what its values are won by', (_, bits) => {
  const values = floatsOf(bits, 0, bits.length)
  const random = new ImageRandom(6, 1)
  const p = new Float32Array(bits.length)
  for (const topK of [0, 1, 30]) {
    const sampling = { temperature: 1, topK, topP: 1 }
    plainProbabilities(values, 0, sampling, p)
    for (let position = 0; position < 200; position += 1) {
      const noise = noiseAt(random, position, bits.length)
      expect(winner(bits, 0, sampling, noise)).toBe(race(p, noise.exponentials))
    }
  }
})

test('half precision is read exactly: all of its numbers', () => {
  const bits = Uint16Array.from({ length: 65_536 }, (_, i) => i)
  const values = floatsOf(bits, 0, bits.length)
  bits.forEach((half, i) => {
    const [sign, exponent, fraction] = [half >> 15 ? -1 : 1, (half >> 10) & 31, half & 1023]
    const special = fraction === 0 ? sign * Infinity : NaN
    const small = sign * fraction * 2 ** -24
    const normal = sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
    const value = exponent === 31 ? special : exponent === 0 ? small : normal
    if (!Object.is(values[i], value)) expect(`${half}: ${values[i]}`).toBe(`${half}: ${value}`)
  })
})

/** Any settings there are, the kernels' and their twins'. */
const anySampling: fc.Arbitrary<Sampling> = fc.record({
  temperature: fc.constantFrom(0, 5e-324, 1e-3, 0.3, 1, 100, 1e20, 1e38, 1e300),
  topK: fc.constantFrom(0, 1, 2, 20, 39),
  topP: fc.constantFrom(1, 1, 1, 1e-6, 0.9, 1 - 1e-6),
})
const anyLogit = fc.oneof(
  fc.float({ noNaN: true, max: 2 ** 127 }),
  fc.float({ noNaN: true, min: -10, max: 10 }),
  fc.constantFrom(0, -0, 1, -Infinity, -3.4e38, 3.4e38, 2 ** -149),
)
const anyRow: fc.Arbitrary<Logits> = fc.oneof(
  fc.array(anyLogit, { minLength: 1, maxLength: 40 }).map((row) => Float32Array.from(row)),
  fc.uint16Array({ minLength: 1, maxLength: 40, max: 0xfc00 }),
)

test('whatever the logits and the settings, probabilities are their twin’s, and their race is won by its winner', () => {
  fc.assert(
    fc.property(anyRow, anySampling, fc.nat(), (row, sampling, position) => {
      const values = floatsOf(row, 0, row.length)
      const [fast, plain] = [new Float32Array(row.length), new Float32Array(row.length)]
      const noise = noiseAt(new ImageRandom(8, 0), position, row.length)
      if (!values.some((value) => value > -Infinity) || values.some((value) => !(value < Infinity))) {
        expect(() => winner(row, 0, sampling, noise)).toThrow(RangeError)
        expect(() => probabilities(row, 0, sampling, fast)).toThrow(RangeError)
        return
      }
      probabilities(row, 0, sampling, fast)
      plainProbabilities(values, 0, sampling, plain)
      expect(fast).toEqual(plain)
      expect(winner(row, 0, sampling, noise)).toBe(race(plain, noise.exponentials))
    }),
    { numRuns: 5000, seed: 1 },
  )
})

test.each<[string, Logits, number]>([
  ['NaN', new Float32Array(32), NaN],
  ['Infinity', new Float32Array(32), Infinity],
  ['-Infinity only', new Float32Array(32).fill(-Infinity), -Infinity],
  ['NaN, in halves', new Uint16Array(32), 0x7c01],
  ['-NaN, in halves', new Uint16Array(32), 0xfe00],
  ['Infinity, in halves', new Uint16Array(32), 0x7c00],
  ['-Infinity only, in halves', new Uint16Array(32).fill(0xfc00), 0xfc00],
])('a row that holds %s and no distribution is refused', (_, row, value) => {
  row[7] = value
  const noise = noiseAt(new ImageRandom(1, 0), 0, 32)
  expect(() => winner(row, 0, samplings[0][1], noise)).toThrow(RangeError)
  expect(() => probabilities(row, 0, samplings[1][1], new Float32Array(32))).toThrow(RangeError)
})
