/** `sjd2 report`: a finished run as one page. */
import { join } from 'node:path'
import type { Session } from '../engine/index.js'
import { type Run, readRun, writeReport } from '../report/report.js'
import { UsageError } from './failure.js'
import type { ReportOptions } from './program.js'
import { withSession } from './session.js'
import { createProgress, type Progress } from './terminal.js'

export async function report(folder: string, options: ReportOptions, signal: AbortSignal): Promise<void> {
  const progress = createProgress(process.stderr)
  const { out = join(folder, 'report.html') } = options
  const run = await readRun(folder)
  if (run.trajectories.length === 0) await writeReport(out, run, null, pictureProgress(progress))
  else {
    await withSession(options, options.imagesAtOnce, { signal, progress }, async (session) => {
      checkModel(run, session)
      await writeReport(out, run, session, pictureProgress(progress))
    })
  }
  progress.clear()
  console.log(out)
}

/** The report of a run whose session is still open. */
export async function reportRun(folder: string, session: Session, progress: Progress): Promise<void> {
  const file = join(folder, 'report.html')
  await writeReport(file, await readRun(folder), session, pictureProgress(progress))
  progress.clear()
  progress.log(`report: ${file}`)
}

const pictureProgress = (progress: Progress) => ({
  onPicture: (done: number, all: number) => progress.show(`pictures of the trajectories: ${done}/${all}`),
})

/** Another checkpoint would decode the tokens to something else. */
function checkModel({ manifest }: Run, { card }: Session): void {
  const { model } = manifest.environment
  if (card.hash === model.hash) return
  throw new UsageError(
    `The run was made by the checkpoint ${model.name} (${model.hash.slice(0, 10)}), not by ${card.name} (${card.hash.slice(0, 10)}).`,
    'Name the run’s checkpoint with --model.',
  )
}
