/** `sjd2 generate`: pictures of prompts. */
import { join } from 'node:path'
import type { Model } from '../decoding/index.js'
import { wantsFastestWindow, withFastestWindow } from '../experiment/fastest-window.js'
import { MOST_IMAGES } from '../experiment/images.js'
import type { ManifestImage } from '../experiment/manifest.js'
import { slug } from '../experiment/picture.js'
import { choosePolicy, type PolicyChoice, usualPolicy } from '../experiment/policy.js'
import { listPrompts, type Prompt, readPrompts } from '../experiment/prompts.js'
import type { ImageRecord } from '../experiment/record.js'
import { mean } from '../experiment/statistics.js'
import { mark } from '../report/table.js'
import { withConnected } from './connection.js'
import { UsageError } from './failure.js'
import type { GenerateOptions } from './program.js'
import { conduct, type Plan } from './study.js'
import { createProgress, formatTable } from './terminal.js'
import { given } from './values.js'

/** What is made where nobody says what. */
const DEFAULT_PROMPT = 'a striped red circle left of a plain blue square on a wavy green background'
const DEFAULT_COUNT = 4

export async function generate(
  args: readonly string[],
  asked: GenerateOptions,
  signal: AbortSignal,
): Promise<void> {
  const options = await withConnected(asked)
  const { out, json } = options
  const progress = createProgress(process.stderr)
  const { prompts, count } = await wantedPrompts(args, options, signal)
  checkNumbers(prompts.length * count, options.index)
  const policyFor = await wantedPolicy(options)
  const plan: Plan = {
    command: 'generate',
    folder: out,
    async choices(session, trial) {
      const choice = policyFor(session.model)
      if (!wantsFastestWindow(choice, options.window, session.model)) return [choice]
      progress.show('measuring which window is fastest here …')
      return [await withFastestWindow(choice, session, trial)]
    },
    guidance: options.guidance === undefined ? null : [options.guidance],
    sampling: options,
    prompts,
    skipBadPrompts: options.skipBadPrompts ?? false,
    images: [...numbered(prompts, count, options)],
    judged: false,
    metrics: [],
    trajectories: 0,
    pictures: 'together',
  }
  const begin = performance.now()
  await conduct(plan, options, {
    signal,
    progress,
    onImage(record) {
      progress.clear()
      const file = join(out, record.file!)
      console.log(json ? JSON.stringify({ ...record, file }) : file)
    },
    onEnd({ records }) {
      if (!json) console.log(summarize(records, (performance.now() - begin) / 1000))
    },
  })
}

async function wantedPolicy(options: GenerateOptions): Promise<(model: Model) => PolicyChoice> {
  const { policy, window, ...others } = options
  const overrides = { ...others, window: window === 'fastest' ? undefined : window }
  if (policy === undefined) return usualPolicy(overrides)
  const choice = await choosePolicy(policy, overrides)
  return () => choice
}

async function wantedPrompts(
  args: readonly string[],
  { prompts: file, count }: GenerateOptions,
  signal: AbortSignal,
): Promise<{ prompts: readonly Prompt[]; count: number }> {
  if (file !== undefined && args.length > 0) {
    throw new UsageError('There are prompts and a file of prompts.', 'Give one or the other.')
  }
  if (args.some((prompt) => prompt.trim() === '')) {
    throw new UsageError('A prompt is empty.', `Say what the picture shows, for example "${DEFAULT_PROMPT}".`)
  }
  if (file !== undefined) return { prompts: await readPrompts(file, signal), count: count ?? 1 }
  if (args.length > 0) return { prompts: listPrompts(args), count: count ?? 1 }
  return { prompts: listPrompts([DEFAULT_PROMPT]), count: count ?? DEFAULT_COUNT }
}

/** Under a seed. */
const MOST_INDEX = 2 ** 32 - 1

function checkNumbers(images: number, first: number): void {
  if (images > MOST_IMAGES) {
    throw new UsageError(
      `${images.toLocaleString('en')} pictures are more than the ${MOST_IMAGES.toLocaleString('en')} of a run.`,
      'Make them in several runs: --index says where each begins.',
    )
  }
  if (first + images - 1 > MOST_INDEX) {
    throw new UsageError(
      `The last picture would have a number above ${MOST_INDEX}, up to which a seed has them.`,
      'Give a smaller --index, and another --seed for more pictures.',
    )
  }
}

/** The images to make. Each is numbered among those whose file names begin alike, so that all names differ. */
function* numbered(
  prompts: readonly Prompt[],
  count: number,
  { seed, index: start }: GenerateOptions,
): Generator<ManifestImage> {
  const used = new Map<string, number>()
  for (const { text: prompt, fields } of prompts) {
    const first = used.get(slug(prompt)) ?? start
    used.set(slug(prompt), first + count)
    for (let index = first; index < first + count; index++)
      yield { prompt, seed, index, ...given({ fields }) }
  }
}

function summarize(records: readonly ImageRecord[], secondsInAll: number): string {
  const [{ policy, exact }] = records
  return formatTable([
    ['policy', 'output', 'pictures', 'passes', 'compression', 'seconds each', 'seconds in all'],
    [
      policy,
      mark({ exact }),
      String(records.length),
      mean(records.map(({ passes }) => passes)).toFixed(1),
      `${mean(records.map(({ compression }) => compression)).toFixed(2)}×`,
      mean(records.map(({ seconds }) => seconds)).toFixed(2),
      secondsInAll.toFixed(2),
    ],
  ])
}
