/**
 * The kernels of `kernels/`, WebAssembly with SIMD. What they work on is copied into their memory and out of it, so that
 * all arrays outside stay plain ones, which the garbage collector frees.
 */
import { readFileSync } from 'node:fs'
import type { Sampling } from './sampling.js'
import type { Stream } from './stream.js'

/** Logits: single precision, or the bits of half precision. */
export type Logits = Float32Array | Uint16Array

type Counters = [counter1: number, counter2: number, counter3: number, key0: number, key1: number]

/** What `kernels/index.ts` exports; arrays are given as addresses. */
interface Exports {
  readonly memory: WebAssembly.Memory
  halves(from: number, to: number, count: number): number
  maximum(row: number, count: number): number
  exponentials(out: number, count: number, purpose: number, ...counters: Counters): void
  normals(out: number, count: number, purpose: number, ...counters: Counters): void
  probabilities(
    row: number,
    count: number,
    top: number,
    temperature: number,
    k: number,
    out: number,
    codes: number,
    weights: number,
    scratch: number,
  ): number
  race(row: number, record: number, count: number, top: number, scale: number, k: number): number
  raceOfHalves(row: number, record: number, count: number, scale: number, k: number): number
  strong(record: number, count: number): void
}

const wasm = new WebAssembly.Module(readFileSync(new URL('./kernels.wasm', import.meta.url)))
const kernels = new WebAssembly.Instance(wasm).exports as unknown as Exports

/** Where the arrays begin: behind the first page, which is the kernels' own. */
const START = 65_536
const PAGE = 65_536
/** Numbers that the kernels sort at most. */
const SORTED = 256

/** Arrays of `length` numbers, a multiple of 16, one after the other. */
interface Memory {
  readonly length: number
  readonly row: Float32Array
  readonly halves: Uint16Array
  readonly out: Float32Array
  /** Addresses of what only the kernels see. */
  readonly scores: number
  readonly codes: number
  readonly sorted: number
  /** A record of strong noise (`kernels/strong.ts`), and room to make it. */
  readonly record: Uint32Array
}

let memory = layOut(0)

function layOut(length: number): Memory {
  const bytes = 4 * length
  const at = (array: number) => START + array * bytes
  const record = 2 * length + 32
  const missing = at(7) + 4 * (SORTED + 32) - kernels.memory.buffer.byteLength
  if (missing > 0) kernels.memory.grow(Math.ceil(missing / PAGE))
  const { buffer } = kernels.memory
  return {
    length,
    row: new Float32Array(buffer, at(0), length),
    out: new Float32Array(buffer, at(1), length),
    halves: new Uint16Array(buffer, at(2), length),
    scores: at(3),
    codes: at(4),
    record: new Uint32Array(buffer, at(5), record),
    sorted: at(7) + 4 * 32,
  }
}

/** Memory for so many numbers, rounded up to what kernels work on at once. */
function memoryFor(count: number): Memory {
  const length = (count + 15) & ~15
  if (memory.length !== length) memory = layOut(length)
  return memory
}

/** Minus infinity in half precision. */
const LEAST_HALF = 0xfc00

/** A row of logits to the kernels' memory, padded with -infinity. */
function place(logits: Logits, offset: number, count: number, { row, halves }: Memory): void {
  const values = logits.subarray(offset, offset + count)
  if (values instanceof Float32Array) {
    row.set(values)
    row.fill(-Infinity, count)
  } else {
    halves.set(values)
    halves.fill(LEAST_HALF, count)
  }
}

/** The same in single precision; returns the largest, NaN where there is one. */
function load(logits: Logits, offset: number, count: number, at: Memory): number {
  const { row, halves, length } = at
  place(logits, offset, count, at)
  return logits instanceof Float32Array
    ? kernels.maximum(row.byteOffset, length)
    : kernels.halves(halves.byteOffset, row.byteOffset, length)
}

/** Single precision of half precision, [count]; exact. */
export function floatsOf(logits: Logits, offset: number, count: number): Float32Array {
  const at = memoryFor(count)
  load(logits, offset, count, at)
  return at.row.slice(0, count)
}

/** As `plainProbabilities` but for top-p, to the same bits. False where the row makes no distribution. */
export function filteredProbabilities(
  logits: Logits,
  offset: number,
  { temperature, topK }: Omit<Sampling, 'topP'>,
  out: Float32Array,
): boolean {
  const at = memoryFor(out.length)
  const top = load(logits, offset, out.length, at)
  const { length, row, scores, codes, sorted } = at
  const sound = kernels.probabilities(
    row.byteOffset,
    length,
    top,
    temperature,
    topK < out.length ? topK : 0,
    at.out.byteOffset,
    codes,
    scores,
    sorted,
  )
  if (sound) out.set(at.out.subarray(0, out.length))
  return Boolean(sound)
}

/**
 * The code that `race` finds for those probabilities, found without them: by the position's strong noise, of `count`
 * codes. -1 where only exact arithmetic can tell: scores nearly equal, or no distribution.
 */
export function filteredRace(
  logits: Logits,
  offset: number,
  count: number,
  { temperature, topK }: Omit<Sampling, 'topP'>,
  noise: StrongNoise,
): number {
  const at = memoryFor(count)
  const { length, row, halves, record } = at
  const [scale, k] = [1 / temperature, topK < count ? topK : 0]
  record.set(noise)
  if (logits instanceof Float32Array) {
    const top = load(logits, offset, count, at)
    return kernels.race(row.byteOffset, record.byteOffset, length, top, scale, k)
  }
  place(logits, offset, count, at)
  return kernels.raceOfHalves(halves.byteOffset, record.byteOffset, length, scale, k)
}

/**
 * Of a position's Gumbel noise, `-log` of its exponential numbers, what decides nearly all races: the numbers of the codes
 * that have the most of it, an eighth of them, and how the others are drawn. The layout is the kernels' own
 * (`kernels/strong.ts`).
 */
export type StrongNoise = Uint32Array

/** The strong noise of a stream of `count` exponential numbers; to 2e-6. In `room`, where that suffices. */
export function strong(
  { purpose, image, position, iteration, key0, key1 }: Stream,
  count: number,
  room?: Uint32Array,
): StrongNoise {
  const { record, length } = memoryFor(count)
  record.set([purpose, image, position, iteration, key0, key1])
  kernels.strong(record.byteOffset, length)
  const words = HEAD + 2 * record[SIZE]
  if (room === undefined || room.length < words) return record.slice(0, words)
  room.set(record.subarray(0, words))
  return room.subarray(0, words)
}

/** Words that a record begins with, and which of them counts the codes and the numbers that follow. */
const HEAD = 8
const SIZE = 7

/** Exponential numbers of mean 1 to `out`; `plainExponentials`' to the bit. */
export function exponentials(stream: Stream, out: Float32Array): void {
  draw(kernels.exponentials, stream, out)
}

/** Standard normal numbers to `out`; `plainNormals`' to the last bit or the one before. */
export function normals(stream: Stream, out: Float32Array): void {
  draw(kernels.normals, stream, out)
}

function draw(
  kernel: Exports['exponentials'],
  { purpose, image, position, iteration, key0, key1 }: Stream,
  out: Float32Array,
): void {
  const at = memoryFor(out.length)
  kernel(at.out.byteOffset, at.length, purpose, image, position, iteration, key0, key1)
  out.set(at.out.subarray(0, out.length))
}
