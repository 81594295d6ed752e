/**
 * Many prompts through few slots: `node --import ./bin/typescript.mjs bench/batching.ts [--prompts 64] [--images 8]
 * [--policy sjd2] [--shape scenes|lumina] [--milliseconds 40]`. Images join as others leave, at any pass. The ideal is
 * all their passes, divided by how many are decoded at once, at the pace of those forwards in which all seats are taken.
 */
import { parseArgs } from 'node:util'
import { randomStream } from '../src/experiment/random.js'
import { scenePrompts } from '../src/experiment/scene-prompts.js'
import { decode, median, startScenes } from './decoding.js'
import { startNullWorker } from './null-worker.js'

const { values } = parseArgs({
  options: {
    prompts: { type: 'string', default: '64' },
    images: { type: 'string', default: '8' },
    policy: { type: 'string', default: 'sjd2' },
    shape: { type: 'string', default: 'scenes' },
    milliseconds: { type: 'string', default: '40' },
  },
})
const [prompts, images, milliseconds] = [values.prompts, values.images, values.milliseconds].map(Number)

const { timings, statistics } = await decode({
  policy: values.policy,
  images: prompts,
  guidance: 3,
  ...(values.shape === 'scenes'
    ? { start: startScenes(images), prompts: scenePrompts(prompts, randomStream(1, 'prompts')) }
    : { start: () => startNullWorker({ images, milliseconds, grid: 12 }) }),
})

const sum = (numbers: readonly number[]) => numbers.reduce((total, value) => total + value, 0)
const passes = sum(statistics.map((one) => one.passes))
/** Images in a forward: a half of those that there are, where two forwards are in flight. */
const together = median(timings.map((timing) => timing.images))
const wall = timings.at(-1)!.decided - timings[0].planned
const period = median(timings.slice(1).map((now, i) => now.answered - timings[i].answered))
const report = (name: string, real: number, ideal: number, unit: string) =>
  console.log(
    `${name.padEnd(10)}${real.toFixed(1).padStart(9)} ${unit}, ideally ${ideal.toFixed(1)}: ${(100 * (real / ideal - 1)).toFixed(1)} % more`,
  )
console.log(`${prompts} prompts, ${images} at once, ${together} to a forward; ${passes} passes in all`)
report('forwards', timings.length, passes / together, '')
report('time', wall, (passes / together) * period, 's')
