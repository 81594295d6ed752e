/** Opens a session as the options say, and closes it whatever happens. */
import { existsSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { bundledCheckpoint } from '../../setup/installation.mjs'
import { choosePython } from '../../setup/python.mjs'
import { loadingOf } from '../common/model-options.js'
import { projectRoot } from '../common/project.js'
import type { Session } from '../engine/index.js'
import {
  knownWords,
  named,
  type Prompt,
  type Reading,
  type RunState,
  readWords,
} from '../experiment/index.js'
import { commandName } from './command-name.js'
import { checkConnected } from './connection.js'
import { UsageError } from './failure.js'
import type { Progress } from './terminal.js'
import type { WorkerOptions } from './worker-options.js'

export { bundledCheckpoint }

interface Surroundings {
  readonly signal: AbortSignal
  readonly progress: Progress
}

/**
 * However it ends, no line of status is left, behind which a message would stand.
 * @param images how many images there will be in all.
 * @throws UsageError where there is no Python; WorkerError where the worker cannot start; what `use` throws.
 */
export function withSession<T>(
  options: WorkerOptions,
  images: number,
  surroundings: Surroundings,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  return inSession(options, images, surroundings, use).finally(surroundings.progress.clear)
}

async function inSession<T>(
  options: WorkerOptions,
  images: number,
  { signal, progress }: Surroundings,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const { model: checkpoint = bundledCheckpoint, imagesAtOnce } = options
  const { adapter, device, dtype, connect: to, key } = options
  const python = findPython(options.python)
  const { openSession } = await import('../engine/index.js')
  const { openTrace } = await import('./trace.js')
  const trace = options.trace === undefined ? undefined : await openTrace(options.trace)
  progress.show(to ? `connecting to the worker ${to} …` : `starting the worker and loading ${checkpoint} …`)
  const session = await openSession({
    ...(to !== undefined && { connect: { to, key } }),
    checkpoint,
    adapter,
    ...loadingOf(options),
    python,
    device,
    dtype,
    images: Math.min(images, imagesAtOnce),
    signal,
    ...(trace && { onForward: trace.onForward }),
    onEvent(event) {
      if (event.kind === 'worker-busy') progress.log(`${event.error.message} Waiting for it …`)
      if (event.kind === 'worker-lost') {
        progress.log(`${event.error.message} ${to ? 'Connecting' : 'Starting it'} again; the images go on.`)
      }
      if (event.kind === 'fewer-entries') {
        progress.log(
          `The device’s memory ran out: passes have ${event.maxEntries} entries at most from now on, and the images go on.`,
        )
      }
    },
  })
  try {
    if (to !== undefined) checkConnected(session.hello, options)
    for (const warning of session.hello.warnings ?? []) progress.log(warning)
    return await use(session)
  } finally {
    await session.close()
    await trace?.write()
  }
}

/** The interpreter to use. @throws UsageError where that is a path to nothing. */
export function findPython(wanted: string | undefined): string {
  const { path, own } = choosePython(projectRoot, wanted, process.env)
  if ((isAbsolute(path) || path.includes('/')) && !existsSync(path)) {
    throw own
      ? new UsageError(`There is no Python at ${path}.`, 'Correct --python or SJD2_PYTHON.')
      : new UsageError(
          'The Python environment is not set up yet.',
          `Run ${commandName} setup, or name a Python that has torch and the worker with --python.`,
        )
  }
  return path
}

/**
 * Prompts in the model's ids; slots get room for them. Words that the model does not know, and prompts that are left out,
 * are named on standard error.
 * @param skip whether prompts that the model cannot be given are left out.
 * @throws ExperimentError `bad-prompt` naming them otherwise; WorkerError where memory has no room for the longest.
 */
export async function tokenize(
  session: Session,
  prompts: readonly Prompt[],
  { model = bundledCheckpoint, promptCells: most }: Pick<WorkerOptions, 'model' | 'promptCells'>,
  progress: Progress,
  skip = false,
): Promise<Reading> {
  const texts = [...new Set(prompts.map(({ text }) => text))]
  const tokenized = await session.tokenizeEach(texts, (done) => {
    if (done < texts.length) progress.show(`reading prompts: ${done} of ${texts.length} …`)
  })
  const reading = readWords(prompts, tokenized, { known: await knownWords(model), most, skip })
  for (const warning of reading.warnings) progress.log(warning)
  for (const line of named(
    reading.leftOut.map(({ prompt, where, reason }) => `${where ?? prompt}: ${reason}`),
  )) {
    progress.log(`Left out: ${line}`)
  }
  await session.reserve(reading.longest)
  return reading
}

/** The line that says how far a run is. */
export function formatRun({ done, images, tokens, passes, length, seconds }: RunState): string {
  const compression = passes > 0 ? `${(tokens / passes).toFixed(2)}×` : '–'
  const speed = seconds > 0 ? Math.round(tokens / seconds) : 0
  return `${done}/${images} pictures · ${tokens}/${length} tokens · ${passes} passes · ${compression} · ${speed} tokens/s`
}
