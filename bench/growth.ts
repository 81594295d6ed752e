/**
 * What a pass takes as things grow: `node --import ./bin/typescript.mjs bench/growth.ts [--passes 40] [--out
 * docs/growth.svg]`. Window, images, length and vocabulary, one at a time, from a common middle, against the null worker,
 * so that what is measured is everything but the model; and memory over a thousand images. Writes the plot and prints the
 * numbers. An exponent above 1 would grow faster than its work.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { decode, median } from './decoding.js'
import { type NullOptions, startNullWorker } from './null-worker.js'

const { values } = parseArgs({
  options: {
    passes: { type: 'string', default: '40' },
    out: { type: 'string', default: 'docs/growth.svg' },
  },
})
const passes = Number(values.passes)
const warmUp = 10

interface Setting extends Required<Pick<NullOptions, 'images' | 'grid' | 'count' | 'width'>> {
  readonly window: number
}

/** The middle from which one thing at a time departs: a pass is short there, so that what grows shows. */
const middle: Setting = { window: 32, images: 1, grid: 48, count: 8192, width: 1024 }

const sweeps: Readonly<Record<string, readonly (Partial<Setting> & { readonly x: number })[]>> = {
  window: [8, 16, 32, 64, 128, 256].map((window) => ({ x: window, window })),
  images: [1, 2, 4, 8, 16, 32].map((images) => ({ x: images, images })),
  length: [12, 24, 48, 90].map((grid) => ({ x: grid * (grid + 1) + 4, grid })),
  vocabulary: [1024, 4096, 16_384, 65_536].map((count) => ({ x: count, count })),
}

interface Point {
  readonly what: string
  readonly x: number
  /** Of all images together: a forward's period times the forwards of a round. */
  readonly milliseconds: number
  /** Held by both processes. */
  readonly mebibytes: number
}

/** Resident memory of a process, MiB; Linux. */
function resident(pid: number | 'self'): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
  return Number(line?.[1]) / 1024
}

async function measure(what: string, { x, ...change }: Partial<Setting> & { x: number }): Promise<Point> {
  const { window, images, ...shape } = { ...middle, ...change }
  let mebibytes = 0
  const { timings } = await decode({
    start: async () => {
      const worker = await startNullWorker({ images, ...shape })
      const { close } = worker
      return {
        ...worker,
        close() {
          mebibytes = resident('self') + resident(worker.pid as number)
          return close()
        },
      }
    },
    policy: `sjd2:window=${window}`,
    images,
    guidance: 3,
    forwards: warmUp + passes,
  })
  const steady = timings.slice(warmUp)
  const period = median(steady.map((now, i) => now.decided - timings[warmUp + i - 1].decided))
  const rounds = images / median(steady.map((timing) => timing.images))
  return { what, x, milliseconds: 1000 * period * rounds, mebibytes }
}

/** Over many small images: memory after each hundred. */
async function endurance(images: number): Promise<Point[]> {
  const points: Point[] = []
  await decode({
    start: () => startNullWorker({ images: 8, grid: 6, count: 1024, width: 64 }),
    policy: 'sjd2:window=16',
    images,
    guidance: 3,
    onDone(done, worker) {
      if (done % 100 === 0) {
        const mebibytes = resident('self') + resident(worker.pid as number)
        points.push({ what: 'images decoded', x: done, milliseconds: 0, mebibytes })
      }
    },
  })
  return points
}

/** The slope of log(time) over log(x), over the last two points: where what is constant weighs least. */
function exponent(points: readonly Point[]): number {
  const [a, b] = points.slice(-2)
  return Math.log(b.milliseconds / a.milliseconds) / Math.log(b.x / a.x)
}

const points: Point[] = []
for (const [what, settings] of Object.entries(sweeps)) {
  for (const setting of settings) {
    const point = await measure(what, setting)
    points.push(point)
    const { x, milliseconds, mebibytes } = point
    console.log(
      `${what.padEnd(12)}${String(x).padStart(7)}${milliseconds.toFixed(2).padStart(10)} ms${mebibytes.toFixed(0).padStart(7)} MiB`,
    )
  }
  console.log(
    `${what.padEnd(12)}grows as x^${exponent(points.filter((point) => point.what === what)).toFixed(2)}`,
  )
}
const lasting = await endurance(1000)
for (const { x, mebibytes } of lasting) console.log(`${x} images: ${mebibytes.toFixed(0)} MiB`)

const { document } = parseHTML('<html><body></body></html>')
const titles = ['window', 'images', 'length', 'vocabulary']
const plots = [
  ...titles.map((title) => ({
    title: `a round of passes by ${title}, ms`,
    y: 'milliseconds',
    points: points.filter(({ what }) => what === title),
    log: true,
  })),
  ...titles.map((title) => ({
    title: `memory by ${title}, MiB`,
    y: 'mebibytes',
    points: points.filter(({ what }) => what === title),
    log: true,
  })),
  { title: 'memory by images decoded, MiB', y: 'mebibytes', points: lasting, log: false },
]
const [columns, width, height] = [4, 240, 190]
const cells = plots.map(({ title, y, points, log }, i) => {
  const svg = Plot.plot({
    document,
    width,
    height,
    marginTop: 28,
    x: {
      type: log ? 'log' : 'linear',
      label: null,
      ticks: 4,
      tickFormat: '~s',
      domain: domainOf(points, log),
    },
    y: {
      label: null,
      grid: true,
      ticks: 5,
      domain: [0, Math.max(...points.map((p) => Number(p[y as keyof Point])))],
    },
    marks: [
      Plot.line(points, { x: 'x', y, stroke: '#4269d0', marker: 'circle' }),
      Plot.text([title], { frameAnchor: 'top-left', dy: -24, dx: -20, fontWeight: 'bold' }),
    ],
  })
  svg.setAttribute('x', String((i % columns) * width))
  svg.setAttribute('y', String(Math.floor(i / columns) * height))
  return svg.outerHTML
})
const size = `width="${columns * width}" height="${Math.ceil(plots.length / columns) * height}"`
writeFileSync(
  values.out,
  `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif"><rect ${size} fill="white"/>${cells.join('\n')}</svg>\n`,
)
console.log(`wrote ${values.out}`)

function domainOf(points: readonly Point[], log: boolean): [number, number] {
  const last = points.at(-1)!.x
  return log ? [points[0].x, last] : [0, last]
}
