/** `sjd2 report`: a finished run as one page. */
import { dirname, join } from 'node:path'
import type { Session } from '../engine/index.js'
import { checkOutput, ExperimentError } from '../experiment/index.js'
import { type Run, readRun, writeReport } from '../report/index.js'
import { type Connection, withConnected } from './connection.js'
import type { ModelOptions } from './model-options.js'
import type { JsonOption } from './options.js'
import { withSession } from './session.js'
import { createProgress, type Progress } from './terminal.js'
import { given } from './values.js'

export interface ReportOptions extends ModelOptions, Connection, JsonOption {
  readonly out?: string
}

export async function report(folder: string, options: ReportOptions, signal: AbortSignal): Promise<void> {
  const progress = createProgress(process.stderr)
  const { json, ...model } = options
  const { out = join(folder, 'report.html') } = options
  const run = await readRun(folder)
  await checkOutput(dirname(out))
  if (run.trajectories.length === 0) await writeReport(out, run, null, pictureProgress(progress))
  else {
    // a run that keeps trajectories is its folder's only one
    refuseAdapter(run, options)
    const worker = await withConnected({
      ...given(run.manifest.runs[0].checkpoint),
      ...model,
      imagesAtOnce: 1,
    })
    await withSession(worker, 1, { signal, progress }, (session) =>
      writeReport(out, run, session, pictureProgress(progress)),
    )
  }
  progress.clear()
  console.log(json ? JSON.stringify({ file: out }) : out)
}

/** An adapter is code: what a folder names is not run because somebody wants to look at that. */
function refuseAdapter({ manifest }: Run, { adapter }: ReportOptions): void {
  const named = manifest.runs[0].checkpoint.adapter
  if (named === null || adapter !== undefined) return
  throw new ExperimentError(
    'bad-option',
    `The viewer's pictures need the run's adapter, ${named}, which is a program.`,
    `If you trust it, say so: --adapter ${named}`,
  )
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
