/**
 * Where the time of a pass goes: `node --import ./bin/typescript.mjs bench/passes.ts [--shape lumina|scenes]
 * [--policy sjd2] [--images 1,8] [--milliseconds 0] [--passes 60] [--dtype bf16]`. `lumina`: the shape of Lumina-mGPT
 * 7B against a worker without a model, whose forward takes `milliseconds` at least, with the same steps in eager PyTorch
 * beside it; `scenes`: the bundled checkpoint on this CPU. Medians over forwards, or another `--quantile`: a low one is
 * what they take by themselves on a machine that has other work. With many images two forwards are in flight, each of half
 * of them.
 */
import { parseArgs } from 'node:util'
import { decode, type Forward, median, quantile, startScenes } from './decoding.js'
import { runPython, startNullWorker } from './null-worker.js'

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: 'lumina' },
    policy: { type: 'string', default: 'sjd2' },
    images: { type: 'string', default: '1,8' },
    milliseconds: { type: 'string', default: '0' },
    passes: { type: 'string', default: '60' },
    dtype: { type: 'string', default: 'bf16' },
    quantile: { type: 'string', default: '0.5' },
  },
})
const typical = (numbers: readonly number[]) => quantile(numbers, Number(values.quantile))
const passes = Number(values.passes)
/** Passes before those that are measured: compilers warm up, windows fill. */
const warmUp = 20

const PROMPT = 'a striped red circle left of a plain blue square on a wavy green background'

/** Decodes so many images together for a while. */
const measure = (images: number) =>
  decode({
    policy: values.policy,
    images,
    guidance: 3,
    forwards: warmUp + passes,
    ...(values.shape === 'scenes'
      ? { start: startScenes(images), prompts: [PROMPT] }
      : {
          start: () =>
            startNullWorker({ images, milliseconds: Number(values.milliseconds), dtype: values.dtype }),
        }),
  })

/** The table's rows: what each stage takes in the median pass. */
function stages(timings: readonly Forward[]): Record<string, number> {
  const rows = timings.slice(warmUp).map((now, i) => {
    const before = timings[warmUp + i - 1]
    const { received, began, ended } = now.worker!
    const numerics = now.numerics - before.numerics
    return {
      forward: ended - began,
      // a request that was read while the one before ran has cost the device nothing until that ended
      "worker's other work": began - Math.max(received, before.worker!.ended),
      'wire there': Math.max(0, received - Math.max(now.asked, before.worker!.ended)),
      'wire back': now.answered - ended,
      numerics,
      "orchestrator's processor": now.processor - before.processor,
      'policy and the rest': now.asked - now.planned + now.decided - now.answered - numerics,
      period: ended - before.worker!.ended,
    }
  })
  const names = Object.keys(rows[0]) as (keyof (typeof rows)[0])[]
  return Object.fromEntries(names.map((name) => [name, 1000 * typical(rows.map((row) => row[name]))]))
}

for (const images of values.images.split(',').map(Number)) {
  const { timings, tokens, committed } = await measure(images)
  const all = stages(timings)
  const { forward, period } = all
  console.log(`${values.shape}, ${values.policy}, ${images} image${images > 1 ? 's' : ''}`)
  for (const [stage, milliseconds] of Object.entries(all)) {
    console.log(`  ${stage.padEnd(25)}${milliseconds.toFixed(2).padStart(9)} ms`)
  }
  const other = period - forward
  const together = median(timings.slice(warmUp).map((timing) => timing.images))
  console.log(
    `  ${'all but the forward'.padEnd(25)}${other.toFixed(2).padStart(9)} ms, ${(other / together).toFixed(2)} for ` +
      `each image of a forward (${together})`,
  )
  console.log(`  ${'device busy'.padEnd(25)}${((100 * forward) / period).toFixed(1).padStart(9)} %`)
  if (values.shape === 'lumina') {
    const flags = Object.entries({ images, 'top-k': 2000 }).flatMap(([name, value]) => [
      `--${name}`,
      `${value}`,
    ])
    const eager = typical((await runPython('eager_steps.py', flags)) as number[])
    const ours = all.numerics + all['policy and the rest']
    console.log(
      `  ${'eager PyTorch'.padEnd(25)}${eager.toFixed(2).padStart(9)} ms, ${(eager / ours).toFixed(1)}× numerics and policy`,
    )
  }
  console.log(`  first image: ${committed} positions; tokens ${tokens}`)
}
