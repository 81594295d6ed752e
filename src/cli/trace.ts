/** Keeps where the time of forwards went, for chrome://tracing and ui.perfetto.dev. */
import { writeFile } from 'node:fs/promises'
import { type ForwardTiming, traceOf } from '../engine/index.js'
import { UsageError } from './failure.js'

export interface Trace {
  onForward(timing: ForwardTiming): void
  write(): Promise<void>
}

/** @throws UsageError where the file cannot be written: now, not when the run is over. */
export async function openTrace(file: string): Promise<Trace> {
  const timings: ForwardTiming[] = []
  const write = () => writeFile(file, `${JSON.stringify({ traceEvents: traceOf(timings) })}\n`)
  await write().catch((error: Error) => {
    throw new UsageError(
      `The trace cannot be written: ${error.message}.`,
      'Name a file in a folder that is there.',
    )
  })
  return { onForward: (timing) => void timings.push(timing), write }
}
