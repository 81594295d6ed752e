/** `sjd2 experiment run`: what a study file says, measured. */
import { basename, join } from 'node:path'
import { loadingOf } from '../common/model-options.js'
import { costsOf, randomStream, readStudy, summarize } from '../experiment/index.js'
import { show } from './compare.js'
import { type Connection, withConnected } from './connection.js'
import { COSTS_NOTES, costsTable } from './costs-table.js'
import type { TableOptions } from './options.js'
import { conduct } from './study.js'
import { createProgress, formatMarkdown, formatTable } from './terminal.js'
import { given } from './values.js'
import type { WorkerOptions } from './worker-options.js'

export interface ExperimentOptions extends Pick<WorkerOptions, 'python'>, Connection, TableOptions {
  readonly out?: string
  readonly report?: boolean
}

export async function runExperiment(
  file: string,
  options: ExperimentOptions,
  signal: AbortSignal,
): Promise<void> {
  const progress = createProgress(process.stderr)
  const study = await readStudy(file)
  const { out = join('runs', basename(file).replace(/\.ya?ml$/, '')) } = options
  const { choices, guidance, sampling, images, judged, metrics, trajectories, prompts } = study
  const { model, adapter, device, dtype, imagesAtOnce } = study
  const { python, connect, key } = options
  progress.log(`results: ${out}   (stopped? the same command goes on)`)
  const plan = {
    command: 'experiment',
    folder: out,
    choices: async () => choices,
    guidance,
    sampling: given(sampling),
    prompts,
    skipBadPrompts: study.skipBadPrompts,
    images,
    judged,
    metrics,
    trajectories,
    pictures: study.pictures || metrics.some(({ needsFile }) => needsFile) ? 'by-row' : 'none',
  } as const
  const worker = await withConnected({
    device,
    dtype,
    imagesAtOnce,
    ...loadingOf(study),
    ...given({ model, adapter, python, connect, key }),
  })
  await conduct(plan, worker, {
    signal,
    progress,
    async onEnd({ environment, sampling, contenders, records }, session) {
      const [seed] = study.seeds
      const random = randomStream(seed, 'bootstrap')
      const rows = summarize(contenders, records, random)
      const costs = costsOf(contenders, records, random)
      console.log(show({ environment, sampling, seed, prompts: prompts.length, rows, costs }, options))
      if (!options.json) {
        const cells = costsTable(costs)
        console.log(`\n${options.markdown ? formatMarkdown(cells) : formatTable(cells)}\n\n${COSTS_NOTES}`)
      }
      if (options.report) await (await import('./report.js')).reportRun(out, session, progress)
    },
  })
}
