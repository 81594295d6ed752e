import type { ForwardTiming } from './timing.js'

/** An event of the Chrome trace format, which Perfetto reads too; times in microseconds. */
export interface TraceEvent {
  readonly name: string
  /** X: takes time; M: names a process or a thread. */
  readonly ph: 'X' | 'M'
  readonly pid: number
  readonly tid: number
  readonly ts?: number
  readonly dur?: number
  readonly args?: Readonly<Record<string, number | string>>
}

const ORCHESTRATOR = { pid: 1, tid: 1 }
const WIRE = { pid: 1, tid: 2 }
const WORKER = { pid: 2, tid: 1 }

const names: readonly TraceEvent[] = [
  { name: 'process_name', ph: 'M', ...ORCHESTRATOR, args: { name: 'orchestrator' } },
  { name: 'thread_name', ph: 'M', ...ORCHESTRATOR, args: { name: 'decisions' } },
  { name: 'thread_name', ph: 'M', ...WIRE, args: { name: 'replies on their way' } },
  { name: 'process_name', ph: 'M', ...WORKER, args: { name: 'worker' } },
  { name: 'thread_name', ph: 'M', ...WORKER, args: { name: 'forwards' } },
]

/** What orchestrator and worker did, on one time axis that begins with the first forward. */
export function traceOf(timings: readonly ForwardTiming[]): TraceEvent[] {
  const zero = timings[0]?.planned ?? 0
  const microseconds = (seconds: number) => Math.round(seconds * 1e9) / 1e3
  const events = timings.flatMap(
    ({ images, entries, planned, asked, worker, answered, decided }, forward) => {
      const span = (name: string, where: typeof WORKER, begin: number, end: number): TraceEvent => ({
        name,
        ph: 'X',
        ...where,
        ts: microseconds(begin - zero),
        dur: microseconds(end - begin),
        args: { forward, images, entries },
      })
      const atWorker = worker && [
        span('read', WORKER, worker.received, worker.began),
        span('forward', WORKER, worker.began, worker.ended),
        span('reply', WIRE, worker.ended, answered),
      ]
      return [
        span('plan', ORCHESTRATOR, planned, asked),
        ...(atWorker ?? []),
        span('decide', ORCHESTRATOR, answered, decided),
      ]
    },
  )
  return [...names, ...events]
}
