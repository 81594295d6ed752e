/** `sjd2 check-model`: whether a checkpoint will load, from its files' headers. */
import { checkModel as askModel, type ModelCheck, type PictureSize } from '../bridge/index.js'
import { formatCheck, lookAtPython, toCheck } from './checks.js'
import { formatPlan, type PlanOptions, verdictOf } from './plan.js'
import { findPython } from './session.js'
import { createProgress } from './terminal.js'

/** The model is the command's argument. */
export type CheckModelOptions = Omit<PlanOptions, 'model'>

/** Exit code 0 only where it will load. */
export async function checkModel(
  model: string,
  options: CheckModelOptions,
  signal: AbortSignal,
): Promise<void> {
  const python = findPython(options.python)
  const looked = lookAtPython(options.python)
  const found = typeof looked === 'string' ? await ask(model, python, options, signal) : unasked(looked)
  if (options.json) console.log(JSON.stringify({ model, ...found }))
  else console.log(format(found, options))
  if (!found.loads) process.exitCode = 1
}

function ask(
  checkpoint: string,
  python: string,
  options: CheckModelOptions,
  signal: AbortSignal,
): Promise<ModelCheck> {
  const progress = createProgress(process.stderr)
  progress.show(`reading the headers of ${checkpoint} …`)
  const images = options.imagesAtOnce
  return askModel({ ...options, checkpoint, python, images, signal }).finally(progress.clear)
}

/** Where Python itself lacks something, nothing can be said of the checkpoint. */
function unasked({ message, remedy = '' }: { message: string; remedy?: string }): ModelCheck {
  const faults = [{ code: 'no-python', message, remedy }]
  return { family: null, picture: null, plan: null, libraries: {}, faults, loads: false }
}

function format(found: ModelCheck, options: CheckModelOptions): string {
  const { family, picture, plan, libraries, faults, loads } = found
  const installed = Object.entries(libraries).filter(([, version]) => version !== null)
  const lines = [
    ...(installed.length > 0 ? [toCheck('with', installed.map((one) => one.join(' ')).join(', '))] : []),
    ...(family ? [toCheck('family', family)] : []),
    ...(picture ? [toCheck('pictures', describe(picture))] : []),
    ...faults.map(({ code, message, remedy }) => toCheck(code, { message, remedy })),
  ].map(formatCheck)
  if (plan) lines.push(...plan.warnings.map((warning) => `! ${warning}`), formatPlan(plan, options))
  if (plan && loads) lines.push(verdictOf(plan))
  return [...lines, loads ? 'It will load.' : 'It will not load: mend what is marked ✗.'].join('\n')
}

function describe({ size, trained, unit, codes }: NonNullable<ModelCheck['picture']>): string {
  const { rows, columns, count } = codes
  const said = trained ? `trained at ${pixels(trained)}` : 'nothing says the size it was trained at'
  const others = unit === null ? 'no other size' : `others by --size, in multiples of ${unit}`
  return `${pixels(size)} pixels (height x width), ${rows}x${columns} of ${count} codes; ${said}; ${others}`
}

const pixels = ([height, width]: PictureSize): string => `${height}x${width}`
