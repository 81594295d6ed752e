/** `sjd2 generate`: pictures of prompts. */
import { join } from 'node:path'
import { mean } from '../common/statistics.js'
import type { Model } from '../decoding/index.js'
import {
  choosePolicy,
  type ImageRecord,
  listPrompts,
  MOST_IMAGES,
  numbered,
  type PolicyChoice,
  type Prompt,
  readPrompts,
  usualPolicy,
  wantsFastestWindow,
  withFastestWindow,
  withWholeSpec,
} from '../experiment/index.js'
import { mark } from '../report/index.js'
import { withConnected } from './connection.js'
import { UsageError } from './failure.js'
import type { PromptOptions, SamplingOptions } from './options.js'
import type { PolicyOptions } from './policy-options.js'
import { conduct, type Plan } from './study.js'
import { createProgress, formatTable } from './terminal.js'
import type { WorkerOptions } from './worker-options.js'

export interface GenerateOptions extends WorkerOptions, SamplingOptions, PolicyOptions, PromptOptions {
  readonly policy?: string
  readonly seed: number
  readonly index: number
  readonly count?: number
  readonly out: string
  readonly guidance?: number
  readonly json?: boolean
}

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
  const { seed, index: first } = options
  checkNumbers(prompts.length * count, first)
  const policyFor = await wantedPolicy(options)
  const plan: Plan = {
    command: 'generate',
    folder: out,
    async choices(session, trial) {
      const choice = withWholeSpec(policyFor(session.model))
      if (!wantsFastestWindow(choice, options.window, session.model)) return [choice]
      progress.show('measuring which window is fastest here …')
      const measured = await withFastestWindow(choice, session, trial)
      // a window that decides nothing of the image does not make it another picture
      return [choice.create(session.model).freeWindow ? measured : withWholeSpec(measured)]
    },
    guidance: options.guidance === undefined ? null : [options.guidance],
    sampling: options,
    prompts,
    skipBadPrompts: options.skipBadPrompts ?? false,
    images: numbered(prompts, { seed, count, first }),
    judged: false,
    metrics: [],
    trajectories: 0,
    pictures: 'together',
  }
  const tell = (record: ImageRecord) => {
    const file = join(out, record.file!)
    console.log(json ? JSON.stringify({ ...record, file }) : file)
  }
  const begin = performance.now()
  await conduct(plan, options, {
    signal,
    progress,
    onFound(records) {
      if (records.length === 0) return
      progress.log(
        `${records.length} of ${plan.images.length} pictures are there already, by the same settings: kept.`,
      )
      records.forEach(tell)
    },
    onImage(record) {
      progress.clear()
      tell(record)
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

/** Of a prompt, under a seed. */
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
