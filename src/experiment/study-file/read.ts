/** Reads a study and finds all that it names, before anything runs. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { builtInParameters } from '../../policies/index.js'
import { ExperimentError } from '../error.js'
import { MOST_IMAGES } from '../images.js'
import type { ManifestImage } from '../manifest.js'
import type { MetricChoice } from '../metrics/choice.js'
import { chooseMetric } from '../metrics/choose.js'
import { SCENES } from '../metrics/scenes.js'
import { numbered } from '../numbering.js'
import { choosePolicies, type OpenPolicy, openOnce, type PolicyChoice, parametersOf } from '../policy.js'
import { mustBe, noSuchKey, type Path, problemsOf, typeInWords } from '../problems.js'
import { listPrompts, type Prompt, promptFault, readPrompts } from '../prompts.js'
import { randomStream } from '../random.js'
import { scenePrompts } from '../scene-prompts.js'
import { readUtf8 } from '../utf8.js'
import { Finder } from './finder.js'
import { knownKeys, type PolicyText, type StudyText, studySchema } from './schema.js'
import { parseYaml } from './source-map.js'
import { axes, countVariants, MOST_ROWS, variants } from './variants.js'

/** A study with all that it names. */
export interface StudyFile
  extends Omit<StudyText, 'policies' | 'metrics' | 'prompts' | 'seeds' | 'guidance'> {
  readonly choices: readonly PolicyChoice[]
  /** null: what the model's card recommends. */
  readonly guidance: readonly number[] | null
  readonly prompts: readonly Prompt[]
  readonly seeds: readonly number[]
  /** Every prompt under every seed. */
  readonly images: readonly ManifestImage[]
  /** Whether the scenes' judge is among the metrics. */
  readonly judged: boolean
  readonly metrics: readonly MetricChoice[]
}

/** @throws ExperimentError `bad-study` with `file:line: key: …` for each thing that is wrong. */
export async function readStudy(file: string): Promise<StudyFile> {
  const yaml = parseYaml(readText(file), file)
  const { data, error } = studySchema.safeParse(yaml.value, { reportInput: true })
  if (error) throw yaml.refuse(problemsOf(error.issues, knownKeys))
  const folder = dirname(file)
  const finder = new Finder(yaml)
  const guidance = data.guidance === undefined ? null : listOf(data.guidance)
  const seeds = listOf(data.seeds ?? 0)
  finder.refuseTwice('guidance', guidance ?? [])
  finder.refuseTwice('seeds', seeds)
  const { model, adapter } = findModel(finder, data, folder)
  const prompts = await findPrompts(finder, data.prompts, folder, seeds[0])
  const rows = data.policies.reduce((sum, entry) => sum + countVariants(entry), 0) * (guidance?.length ?? 1)
  refuseExplosion(finder, rows, rows * prompts.length * seeds.length)
  const choices = rows > MOST_ROWS ? [] : await findPolicies(finder, data.policies, folder)
  const metrics = await findMetrics(finder, data.metrics, folder)
  finder.finish()
  return {
    ...data,
    model,
    adapter,
    choices,
    guidance,
    prompts,
    seeds,
    images: seeds.flatMap((seed) => numbered(prompts, { seed })),
    judged: data.metrics.includes(SCENES),
    metrics,
  }
}

function refuseExplosion(finder: Finder, rows: number, images: number): void {
  const [what, number, most] = rows > MOST_ROWS ? ['rows', rows, MOST_ROWS] : ['images', images, MOST_IMAGES]
  if (number <= most) return
  finder.problem(
    ['policies'],
    `the sweeps make ${number.toLocaleString('en')} ${what}, more than ${most.toLocaleString('en')}: ` +
      'give fewer values, or write several studies.',
  )
}

/** `org/name`: a model of a hub; the worker knows whether it is there. */
const HUB_ID = /^[\w-][\w.-]*\/[\w.-]+$/

function findModel(
  finder: Finder,
  { model, adapter }: Pick<StudyText, 'model' | 'adapter'>,
  folder: string,
): Pick<StudyText, 'model' | 'adapter'> {
  const find = (key: string, name: string | undefined) => {
    const path = name && from(folder, name)
    if (path === undefined || existsSync(path)) return path
    if (key === 'model' && HUB_ID.test(name ?? '')) return name
    finder.problem([key], `there is no ${path}.`)
    return path
  }
  return { model: find('model', model), adapter: find('adapter', adapter) }
}

async function findMetrics(
  finder: Finder,
  texts: StudyText['metrics'],
  folder: string,
): Promise<MetricChoice[]> {
  const metrics: MetricChoice[] = []
  for (const [i, text] of texts.entries()) {
    if (text === SCENES) continue
    const path = ['metrics', i]
    const key = typeof text === 'object' && text.command ? 'command' : 'file'
    for (const metric of await finder.find(path, async () => [await chooseMetric(text, folder)], [], key)) {
      if (metrics.some(({ name }) => name === metric.name))
        finder.problem(path, `${metric.name} is there twice.`)
      else metrics.push(metric)
    }
  }
  return metrics
}

async function findPolicies(
  finder: Finder,
  entries: readonly PolicyText[],
  folder: string,
): Promise<PolicyChoice[]> {
  const choices: PolicyChoice[] = []
  const open = openOnce()
  for (const [i, entry] of entries.entries()) {
    const path = ['policies', i]
    const find = async () =>
      (await hasItsKeys(finder, path, entry, folder, open))
        ? choosePolicies(variants(entry), folder, open)
        : []
    for (const choice of await finder.find(path, find, [], 'policy')) {
      if (choices.some(({ spec }) => spec === choice.spec)) {
        finder.problem(path, `${choice.spec} is there twice.`)
      } else choices.push(choice)
    }
  }
  return choices
}

/** Whether the policy has the keys of its entry, and each value is of the key's kind; else problems say which. */
async function hasItsKeys(
  finder: Finder,
  path: Path,
  entry: PolicyText,
  folder: string,
  open: OpenPolicy,
): Promise<boolean> {
  if (typeof entry === 'string') return true
  const own = await parametersOf(entry.policy, folder, open)
  // the policy says itself why it lacks what others have
  const parameters = { ...builtInParameters, ...own }
  let right = true
  const problem = (place: Path, message: string) => {
    finder.problem([...path, ...place], message)
    right = false
  }
  for (const [key, values] of axes(entry)) {
    if (!Object.hasOwn(parameters, key)) {
      problem([key], noSuchKey(key, ['policy', ...Object.keys(own)]))
      continue
    }
    const { kind } = parameters[key]
    for (const [j, value] of values.entries()) {
      if (typeof value === kind) continue
      problem(Array.isArray(entry[key]) ? [key, j] : [key], mustBe(typeInWords(kind), value))
    }
  }
  return right
}

async function findPrompts(
  finder: Finder,
  prompts: StudyText['prompts'],
  folder: string,
  seed: number,
): Promise<Prompt[]> {
  if (Array.isArray(prompts)) {
    return prompts.flatMap((text, i) => {
      const fault = promptFault(text)
      if (fault === undefined) return [{ text, where: `prompts[${i}]` }]
      finder.problem(['prompts', i], `${fault}.`)
      return []
    })
  }
  const { file, scenes = 1 } = prompts
  if (file !== undefined) return finder.find(['prompts', 'file'], () => readPrompts(from(folder, file)), [])
  const draw = async () => listPrompts(scenePrompts(scenes, randomStream(seed, 'prompts')))
  return finder.find(['prompts', 'scenes'], draw, [])
}

function readText(file: string): string {
  const refuse = (reason: string, cause?: unknown) =>
    new ExperimentError(
      'bad-study',
      `Cannot read the study ${file}: ${reason}.`,
      'Give a YAML file; examples/study.yaml is one.',
      { cause },
    )
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw refuse(code === 'ENOENT' ? 'it does not exist' : message, error)
  }
  const read = readUtf8(bytes)
  if ('reason' in read) throw refuse(read.reason)
  return read.text
}

const listOf = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? value : [value as T])

const from = (folder: string, path: string): string => (isAbsolute(path) ? path : join(folder, path))
