/**
 * What the kernels take, and beside each a memory copy of the same bytes: `node --import ./bin/typescript.mjs
 * bench/kernels.ts [--rows 97] [--count 8192] [--top-k 2000] [--repeats 60]`. The best of the repeats, in microseconds a
 * row: on a machine with other work, that is what they take by themselves.
 */
import { parseArgs } from 'node:util'
import { ImageRandom, type Logits, probabilities, race, winner } from '../src/numerics/index.js'
import { plainProbabilities } from '../src/numerics/probabilities.js'

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '97' },
    count: { type: 'string', default: '8192' },
    'top-k': { type: 'string', default: '2000' },
    repeats: { type: 'string', default: '60' },
  },
})
const [rows, count, topK, repeats] = [values.rows, values.count, values['top-k'], values.repeats].map(Number)
const sampling = { temperature: 1, topK, topP: 1 }
const random = new ImageRandom(1, 0)

const logits = new Float32Array(rows * count)
random.normals(0, 0, logits)
for (let i = 0; i < logits.length; i += 1) logits[i] *= 2.5
/** The same in half precision, truncated; those too small for it are 0. */
const halves = Uint16Array.from(new Uint32Array(logits.buffer), (bits) => {
  const exponent = ((bits >>> 23) & 255) - 112
  return exponent > 0 ? ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 1023) : 0
})
const noise = Array.from({ length: rows }, (_, position) => {
  const exponentials = new Float32Array(count)
  random.exponentials(position, exponentials)
  return { count, strong: random.strong(position, count), exponentials }
})
const out = new Float32Array(count)

/** Microseconds a row, in the best of the repeats. */
function best(perRow: (row: number) => void): number {
  let least = Infinity
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    const begin = performance.now()
    for (let row = 0; row < rows; row += 1) perRow(row)
    least = Math.min(least, performance.now() - begin)
  }
  return (1000 * least) / rows
}

const source = new Float32Array(rows * count)
const copied = (bytes: number) =>
  best((row) => out.set(source.subarray(row * count, row * count + bytes / 4), 0))
const raceOf = (of: Logits) => (row: number) => winner(of, row * count, sampling, noise[row])
const cases: [string, number, (row: number) => void][] = [
  ['winner, f32', 4 * count, raceOf(logits)],
  ['winner, f16', 2 * count, raceOf(halves)],
  ['probabilities, f32', 4 * count, (row) => probabilities(logits, row * count, sampling, out)],
  ['probabilities, f16', 2 * count, (row) => probabilities(halves, row * count, sampling, out)],
  ['strong noise', 4 * count, (row) => random.strong(row, count)],
  ['normal numbers', 4 * count, (row) => random.normals(row, 0, out)],
  [
    'in plain TypeScript: race and probabilities',
    4 * count,
    (row) => {
      plainProbabilities(logits, row * count, sampling, out)
      race(out, noise[row].exponentials)
    },
  ],
]
for (const [name, bytes, perRow] of cases) {
  const [own, copy] = [best(perRow), copied(bytes)]
  const speed = `${own.toFixed(2).padStart(9)} µs  ${(bytes / own / 1000).toFixed(2).padStart(6)} GB/s`
  console.log(`${name.padEnd(46)}${speed}, a copy ${(bytes / copy / 1000).toFixed(1)} GB/s`)
}
