/**
 * Where the time of a pass goes: `node --import ./bin/typescript.mjs bench/passes.ts [--shape lumina|scenes]
 * [--policy sjd2] [--images 1,8] [--milliseconds 0] [--passes 60] [--dtype bf16]`. `lumina`: the shape of Lumina-mGPT
 * 7B against a worker without a model, whose forward takes `milliseconds` at least, with the same steps in eager PyTorch
 * beside it; `scenes`: the bundled checkpoint on this CPU. Medians over forwards; with many images two forwards are in
 * flight, each of half of them.
 */
import { createHash } from 'node:crypto'
import { parseArgs } from 'node:util'
import { startWorker, type Worker } from '../src/bridge/index.js'
import { type DecodingPolicy, type Model, Trajectory } from '../src/decoding/index.js'
import { decodeTogether } from '../src/engine/decode.js'
import type { ForwardTiming, TokenizedPrompt } from '../src/engine/index.js'
import { LastingWorker } from '../src/engine/lasting-worker.js'
import { modelOf } from '../src/engine/model.js'
import { tokenizedPrompts } from '../src/engine/prompts.js'
import { choosePolicy } from '../src/experiment/policy.js'
import { python, runPython, startNullWorker } from './null-worker.js'
import { numericsClock, timedNumerics } from './numerics-clock.js'

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: 'lumina' },
    policy: { type: 'string', default: 'sjd2' },
    images: { type: 'string', default: '1,8' },
    milliseconds: { type: 'string', default: '0' },
    passes: { type: 'string', default: '60' },
    dtype: { type: 'string', default: 'bf16' },
  },
})
const passes = Number(values.passes)
/** Passes before those that are measured: compilers warm up, windows fill. */
const warmUp = 20

const median = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1]

interface Shape {
  readonly guidance: number
  start(images: number): Promise<Worker>
  prompts(worker: LastingWorker, images: number): Promise<TokenizedPrompt[]>
}

const shapes: Readonly<Record<string, Shape>> = {
  lumina: {
    guidance: 3,
    start: (images) => startNullWorker(images, Number(values.milliseconds), values.dtype),
    prompts: async (_, images) =>
      Array.from({ length: images }, () => ({ conditional: [1, 2, 3], unconditional: [1], unknown: [] })),
  },
  scenes: {
    guidance: 3,
    start: (images) =>
      startWorker({
        checkpoint: 'checkpoints/scenes',
        python,
        device: 'cpu',
        dtype: 'f32',
        slots: 2 * images,
      }),
    prompts: async (worker, images) => {
      const prompt = 'a striped red circle left of a plain blue square on a wavy green background'
      const answer = await worker.request({ op: 'tokenize', prompts: Array(images).fill(prompt) })
      return tokenizedPrompts(answer, worker.hello.model.width)
    },
  },
}

/** Decodes so many images together for a while; returns the time of each forward, numerics apart. */
async function measure(shape: Shape, images: number) {
  const signal = new AbortController().signal
  const worker = await LastingWorker.begin({ start: () => shape.start(images), signal, onEvent() {} })
  try {
    const model = modelOf(worker.hello.model, await worker.request({ op: 'embeddings' }))
    return await decode(worker, model, shape, images)
  } finally {
    await worker.gone()
  }
}

async function decode(worker: LastingWorker, model: Model, shape: Shape, images: number) {
  const policy = timedNumerics((await choosePolicy(values.policy)).create(model))
  const prompts = await shape.prompts(worker, images)
  const trajectories = prompts.map((_, index) =>
    trajectory(model, policy, worker.hello.model.sampling, index),
  )
  const timings: (ForwardTiming & { readonly numerics: number; readonly processor: number })[] = []
  const enough = new AbortController()
  await decodeTogether(
    worker,
    trajectories.map((image, i) => ({ prompt: prompts[i], guidance: shape.guidance, image })),
    {
      signal: enough.signal,
      onForward(timing) {
        const { user, system } = process.cpuUsage()
        timings.push({ ...timing, numerics: numericsClock(), processor: (user + system) / 1e6 })
        if (timings.length === warmUp + passes) enough.abort('enough')
      },
    },
  ).catch((reason) => {
    if (reason !== 'enough') throw reason
  })
  const tokens = createHash('sha256')
  for (const image of trajectories) tokens.update(image.tokens)
  return { timings, tokens: tokens.digest('hex').slice(0, 12), committed: trajectories[0].committed }
}

function trajectory(model: Model, policy: DecodingPolicy, sampling: Trajectory['sampling'], index: number) {
  return new Trajectory({ model, policy, sampling, seed: 1, index })
}

/** The table's rows: what each stage takes in the median pass. */
function stages(timings: Awaited<ReturnType<typeof measure>>['timings']): Record<string, number> {
  const rows = timings.slice(warmUp).map((now, i) => {
    const before = timings[warmUp + i - 1]
    const { received, began, ended } = now.worker!
    const numerics = now.numerics - before.numerics
    return {
      forward: ended - began,
      "worker's other work": began - received,
      'wire there': received - Math.max(now.asked, before.worker!.ended),
      'wire back': now.answered - ended,
      numerics,
      "orchestrator's processor": now.processor - before.processor,
      'policy and the rest': now.asked - now.planned + now.decided - now.answered - numerics,
      period: ended - before.worker!.ended,
    }
  })
  const names = Object.keys(rows[0]) as (keyof (typeof rows)[0])[]
  return Object.fromEntries(names.map((name) => [name, 1000 * median(rows.map((row) => row[name]))]))
}

const shape = shapes[values.shape]
for (const images of values.images.split(',').map(Number)) {
  const { timings, tokens, committed } = await measure(shape, images)
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
    const eager = median((await runPython('eager_steps.py', flags)) as number[])
    const ours = all.numerics + all['policy and the rest']
    console.log(
      `  ${'eager PyTorch'.padEnd(25)}${eager.toFixed(2).padStart(9)} ms, ${(eager / ours).toFixed(1)}× numerics and policy`,
    )
  }
  console.log(`  first image: ${committed} positions; tokens ${tokens}`)
}
