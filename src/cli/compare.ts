/** `sjd2 compare`: policies measured on the same prompts. */
import {
  choosePolicies,
  listPrompts,
  numbered,
  type Row,
  randomStream,
  readPrompts,
  scenePrompts,
  summarize,
} from '../experiment/index.js'
import { csv, NOTES, table } from '../report/index.js'
import { withConnected } from './connection.js'
import type { PromptOptions, SamplingOptions, TableOptions } from './options.js'
import { conduct } from './study.js'
import { createProgress, formatMarkdown, formatTable } from './terminal.js'
import type { WorkerOptions } from './worker-options.js'

export interface CompareOptions extends WorkerOptions, SamplingOptions, TableOptions, PromptOptions {
  readonly scenes: number
  readonly guidance?: readonly number[]
  readonly seed: number
  readonly out?: string
  readonly pictures?: boolean
  readonly trajectories?: number
  readonly report?: boolean
  readonly csv?: boolean
}

/** Of so many prompts, a report shows how their pictures came to be, where nobody says of how many. */
const RECORDED_PROMPTS = 2

export async function compare(
  specs: readonly string[],
  asked: CompareOptions,
  signal: AbortSignal,
): Promise<void> {
  const options = await withConnected(asked)
  const {
    seed,
    out = `runs/compare-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}`,
    trajectories = options.report ? RECORDED_PROMPTS : 0,
  } = options
  const progress = createProgress(process.stderr)
  const named = await choosePolicies([...new Set(specs)])
  const choices = [...new Map(named.map((choice) => [choice.spec, choice])).values()] // scd is mc-sjd
  const prompts = options.prompts
    ? await readPrompts(options.prompts, signal)
    : listPrompts(scenePrompts(options.scenes, randomStream(seed, 'prompts')))
  progress.log(`results: ${out}   (stopped? the same command with --out ${out} goes on)`)
  const plan = {
    command: 'compare',
    folder: out,
    choices: async () => choices,
    guidance: options.guidance ? [...new Set(options.guidance)] : null,
    sampling: options,
    prompts,
    skipBadPrompts: options.skipBadPrompts ?? false,
    images: numbered(prompts, { seed }),
    judged: true,
    metrics: [],
    trajectories,
    pictures: options.pictures ? 'by-row' : 'none',
  } as const
  await conduct(plan, options, {
    signal,
    progress,
    async onEnd({ environment, sampling, contenders, records }, session) {
      const rows = summarize(contenders, records, randomStream(seed, 'bootstrap'))
      console.log(show({ environment, sampling, seed, prompts: prompts.length, rows }, options))
      if (options.report) await (await import('./report.js')).reportRun(out, session, progress)
    },
  })
}

export function show<T extends { rows: readonly Row[] }>(
  results: T,
  { json, markdown, csv: commas }: TableOptions & Pick<CompareOptions, 'csv'>,
): string {
  if (json) return JSON.stringify(results)
  if (commas) return csv(results.rows)
  const cells = table(results.rows)
  return `${markdown ? formatMarkdown(cells) : formatTable(cells)}\n\n${NOTES.join('\n')}`
}
