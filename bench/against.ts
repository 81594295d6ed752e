/**
 * sjd2 beside what a user would run instead (`against.py`), on this machine: `node --import ./bin/typescript.mjs
 * bench/against.ts [--families scenes,janus,chameleon] [--images 1,8] [--turns 3]`. Seconds of all images together, from
 * their prompts to their last tokens, loading not counted; medians over turns, and beside
 * them the seconds that processors worked, which other work on the machine disturbs less (Linux). Windows are those that
 * `--window fastest` measures. For scenes, the last line of a policy is what bare forwards (`forward.py`, measured in
 * between) allow: autoregressive's passes times a bare forward of one entry, over the policy's times one of its window.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { Trajectory } from '../src/decoding/index.js'
import { openSession, type Session } from '../src/engine/index.js'
import { withFastestWindow } from '../src/experiment/fastest-window.js'
import { choosePolicy } from '../src/experiment/policy.js'
import type { StudyImage } from '../src/experiment/rows.js'
import { python, runPython } from './null-worker.js'

const { values } = parseArgs({
  options: {
    families: { type: 'string', default: 'scenes,janus,chameleon' },
    images: { type: 'string', default: '1,8' },
    turns: { type: 'string', default: '3' },
  },
})
const turns = Number(values.turns)
const guidance = 3

interface Family {
  readonly prompt: string
  readonly instead: string
  /** `sjd2` starts from noise, which random weights cannot read. */
  readonly policies: readonly string[]
}

const families: Readonly<Record<string, Family>> = {
  scenes: {
    prompt: 'a striped red circle left of a plain blue square on a wavy green background',
    instead: 'a loop over a static cache',
    policies: ['autoregressive', 'mc-sjd', 'sjd2'],
  },
  janus: {
    prompt: 'a red circle',
    instead: 'generate of transformers',
    policies: ['autoregressive', 'mc-sjd', 'sjd2:init=above'],
  },
  chameleon: {
    prompt: 'a red circle',
    instead: 'a loop over the cache of transformers',
    policies: ['autoregressive', 'mc-sjd', 'sjd2:init=above'],
  },
}

const median = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1]

/** What this process and those that it started have used, in seconds. */
function processorSeconds(): number {
  const { user, system } = process.cpuUsage()
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ')
  const ticks = children.filter(Boolean).flatMap((pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
    return [Number(fields[11]), Number(fields[12])]
  })
  return (user + system) / 1e6 + ticks.reduce((sum, value) => sum + value, 0) / 100
}

interface Measured {
  readonly seconds: number
  readonly processor: number
  readonly passes: number
  readonly window: number
  readonly spec: string
}

async function measure(session: Session, images: readonly StudyImage[], spec: string): Promise<Measured> {
  const { temperature, topK, topP } = session.card.sampling
  const sampling = { temperature, topK, topP }
  const { signal } = new AbortController()
  const plain = await choosePolicy(spec)
  const choice =
    spec === 'autoregressive'
      ? plain
      : await withFastestWindow(plain, session, { images, sampling, guidance, signal })
  const policy = choice.create(session.model)
  await session.fit(policy)
  const times: number[] = []
  const used: number[] = []
  let passes = 0
  for (let turn = 0; turn < turns; turn++) {
    const jobs = images.map(({ tokenized: prompt, index }) => ({
      prompt,
      guidance,
      image: new Trajectory({ model: session.model, policy, sampling, seed: turn, index }),
    }))
    const [begin, before] = [performance.now(), processorSeconds()]
    await session.run(jobs)
    times.push((performance.now() - begin) / 1000)
    used.push(processorSeconds() - before)
    passes += jobs.reduce((sum, { image }) => sum + image.passes, 0)
  }
  const window = Number(choice.overrides.window ?? 0)
  return {
    seconds: median(times),
    processor: median(used),
    passes: passes / turns / images.length,
    window,
    spec: window > 0 ? `${spec} at ${window}` : spec,
  }
}

/** Seconds of a forward of each window by the bare model. */
async function bareForwards(images: number, windows: readonly number[]): Promise<number[]> {
  const flags = ['--json', '--images', `${images}`, '--windows', ...windows.map(String)]
  const records = (await runPython('forward.py', flags)) as { readonly bare: number }[]
  return records.map(({ bare }) => bare / 1000)
}

async function compare(name: string, checkpoint: string, count: number): Promise<void> {
  const { prompt, instead, policies } = families[name]
  const session = await openSession({ checkpoint, python, device: 'cpu', dtype: 'f32', images: count })
  try {
    const [tokenized] = await session.tokenize([prompt])
    const flags = {
      family: name,
      model: checkpoint,
      conditional: tokenized.conditional.join(),
      unconditional: tokenized.unconditional.join(),
      images: count,
      guidance,
      turns,
    }
    const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, `${value}`])
    const took = (await runPython('against.py', ['decode', ...args])) as [number, number][]
    const [theirs, used] = [0, 1].map((i) => median(took.map((turn) => turn[i])))
    console.log(`${name}, ${count} image${count > 1 ? 's' : ''}: ${session.model.layout.length} positions`)
    console.log(
      `  ${instead.padEnd(40)}${theirs.toFixed(2).padStart(8)} s ${used.toFixed(2).padStart(8)} s of processors`,
    )
    const images = Array.from({ length: count }, (_, index) => ({ prompt, tokenized, seed: 0, index }))
    const all: Measured[] = []
    for (const spec of policies) {
      const measured = await measure(session, images, spec)
      all.push(measured)
      const [{ seconds: one }] = all
      const { seconds, processor, passes, spec: said } = measured
      console.log(
        `  ${said.padEnd(40)}${seconds.toFixed(2).padStart(8)} s ${processor.toFixed(2).padStart(8)} s of processors ${passes.toFixed(1).padStart(7)} passes` +
          `${(theirs / seconds).toFixed(2).padStart(7)}×, ${(used / processor).toFixed(2)}× of processors; ${(one / seconds).toFixed(2)}× autoregressive`,
      )
    }
    if (name !== 'scenes') return
    const bare = await bareForwards(
      count,
      all.map(({ window }) => window),
    )
    for (const [i, { spec, passes, seconds }] of all.entries()) {
      const forwards = passes * bare[i]
      const allowed = (all[0].passes * bare[0]) / forwards
      const gained = all[0].seconds / seconds
      console.log(
        `  ${spec}: bare forwards of ${(1000 * bare[i]).toFixed(2)} ms, ${((100 * forwards) / seconds).toFixed(0)} % of its time; they allow ${allowed.toFixed(2)}×, reached ${(gained / allowed).toFixed(2)} of it`,
      )
    }
  } finally {
    await session.close()
  }
}

const folder = mkdtempSync(join(tmpdir(), 'against-'))
try {
  const wanted = values.families.split(',')
  if (wanted.some((name) => name !== 'scenes')) await runPython('against.py', ['prepare', folder])
  for (const name of wanted) {
    for (const count of values.images.split(',').map(Number)) {
      await compare(name, name === 'scenes' ? resolve('checkpoints/scenes') : join(folder, name), count)
    }
  }
} finally {
  rmSync(folder, { recursive: true })
}
