/** Policies by name or from a user's file, with what is changed of them. */
import { isAbsolute, join } from 'node:path'
import { z } from 'zod'
import { didYouMean } from '../common/did-you-mean.js'
import type { DecodingPolicy, Model } from '../decoding/index.js'
import {
  builtInParameters,
  type Changes,
  composePolicy,
  createPolicy,
  findPolicy,
  type Overrides,
  type Parameters,
  parseValue,
  type Value,
} from '../policies/index.js'
import { openPolicyFile, type UserPolicy } from '../user-modules/index.js'
import { ExperimentError } from './error.js'
import { builtIn, ofFiles, type Source } from './source.js'

export interface PolicyChoice {
  /** As it was asked for: `mc-sjd:window=96,init=above`; a policy's other name is replaced by its own. */
  readonly spec: string
  readonly overrides: Changes
  readonly source: Source
  /** The path of its file, from the working folder; null for a policy by name. */
  readonly file: string | null
  /** @throws PolicyError where the overrides make no sense or the model cannot serve the policy. */
  create(model: Model): DecodingPolicy
}

/** Overrides as files keep them. */
export const overridesSchema = z.record(z.string(), z.union([z.number(), z.string(), z.boolean()]))

/** Opens a policy's file. */
export type OpenPolicy = (path: string) => Promise<UserPolicy>

/** Opens each file once. */
export function openOnce(): OpenPolicy {
  const opened = new Map<string, Promise<UserPolicy>>()
  return (path) => {
    const policy = opened.get(path) ?? openPolicyFile(path)
    opened.set(path, policy)
    return policy
  }
}

/**
 * Finds a policy before anything is started.
 * @param spec `name`, `file.ts`, or either with `:key=value,…` behind it.
 * @param options other overrides of the policies by name, which win; whatever else they hold is left alone.
 * @param folder that a policy file's path counts from.
 * @throws ExperimentError `bad-option`, or PolicyError, where there is no such policy or override.
 */
export async function choosePolicy(spec: string, options: object = {}, folder = '.'): Promise<PolicyChoice> {
  return choose(spec, options, folder, openPolicyFile)
}

/**
 * What decodes where nobody says how: sjd2, and mc-sjd where the checkpoint was not trained to read noise and sjd2 under
 * these overrides would feed it some.
 * @throws as `choosePolicy` does.
 */
export async function usualPolicy(options: object): Promise<(model: Model) => PolicyChoice> {
  const sjd2 = await choosePolicy('sjd2', options)
  if (!composePolicy('sjd2', sjd2.overrides).noisy) return () => sjd2
  // overrides that only noise gives a meaning ask for sjd2, which then says what the checkpoint lacks
  const clean = await choosePolicy('mc-sjd', options).catch(() => sjd2)
  return (model) => (model.denoising === null ? clean : sjd2)
}

/** As `choosePolicy`, for several, which may be the same file under different overrides. */
export function choosePolicies(
  specs: readonly string[],
  folder = '.',
  open: OpenPolicy = openOnce(),
): Promise<PolicyChoice[]> {
  return Promise.all(specs.map((spec) => choose(spec, {}, folder, open)))
}

async function choose(
  spec: string,
  options: object,
  folder: string,
  open: OpenPolicy,
): Promise<PolicyChoice> {
  const { name, changes } = splitSpec(spec)
  if (isFile(name)) {
    const file = fileOf(name, folder)
    const policy = await open(file)
    const overrides = { ...parseChanges(spec, parametersOfFile(policy)), ...pickOverrides(options) }
    return { ...ofFile(spec, policy, overrides), file }
  }
  const { name: canonical, parameters } = findPolicy(name)
  const overrides = { ...parseChanges(spec, parameters, builtInParameters), ...pickOverrides(options) }
  composePolicy(canonical, overrides) // what makes no sense is refused now, not when the model is loaded
  return {
    spec: changes === '' ? canonical : `${canonical}:${changes}`,
    overrides,
    source: builtIn(canonical),
    file: null,
    create: (model) => createPolicy(canonical, overrides, model),
  }
}

const fileOf = (name: string, folder: string): string => (isAbsolute(name) ? name : join(folder, name))

/** A file that declares no parameters may be given all that policies by name have. */
const parametersOfFile = ({ definition }: UserPolicy): Parameters =>
  definition?.parameters ?? builtInParameters

/**
 * The parameters of a policy by name or in a file.
 * @throws PolicyError where there is no such policy.
 */
export async function parametersOf(name: string, folder: string, open: OpenPolicy): Promise<Parameters> {
  return isFile(name) ? parametersOfFile(await open(fileOf(name, folder))) : findPolicy(name).parameters
}

/**
 * A choice of a policy file that is loaded already.
 * @throws PolicyError where it declares no such parameters, or not these values.
 */
export function ofFile(
  spec: string,
  policy: UserPolicy,
  overrides: Changes,
): Omit<PolicyChoice, 'file'> & {
  readonly file: null
} {
  policy.check(overrides)
  const create = (model: Model) => policy.create(model, overrides)
  return { spec, overrides, source: ofFiles(policy.source), file: null, create }
}

/** A policy's name or file, and what stands behind it. */
export function splitSpec(spec: string): { name: string; changes: string } {
  const [, name, changes = ''] = /^(.+?)(?::([^:]*=[^:]*))?$/.exec(spec) ?? [spec, spec]
  return { name, changes }
}

/** Of a policy's overrides, those that its specification does not say itself. */
export function besides(spec: string, overrides: Changes): Changes {
  const said = new Map(changesIn(spec))
  const others = Object.entries(overrides).filter(([key, value]) => {
    const text = said.get(key)
    return text === undefined || (text !== String(value) && Number(text) !== value)
  })
  return Object.fromEntries(others)
}

/** The specification of a policy under overrides; `choosePolicy` reads it. */
export function formatSpec(name: string, overrides: Changes): string {
  const changes = Object.entries(overrides).map(([key, value]) => `${key}=${value}`)
  return changes.length === 0 ? name : `${name}:${changes.join(',')}`
}

/** The policy with all that is changed of it in its specification, in one order however it was said. */
export function withWholeSpec(choice: PolicyChoice): PolicyChoice {
  const sorted = Object.entries(choice.overrides).sort(([a], [b]) => (a < b ? -1 : 1))
  return { ...choice, spec: formatSpec(splitSpec(choice.spec).name, Object.fromEntries(sorted)) }
}

/** Whether a policy's name is that of a file. */
export const isFile = (name: string): boolean => /[/\\]|\.[cm]?[jt]s$/.test(name)

/** `[key, value]` for each change that a specification says. */
const changesIn = (spec: string): [string, string][] =>
  splitSpec(spec)
    .changes.split(',')
    .filter(Boolean)
    .map((change) => {
      const [key, value = ''] = change.split(/=(.*)/)
      return [key, value]
    })

/**
 * @param parameters the policy's.
 * @param others that other policies have: the policy says itself why it lacks one of these.
 */
function parseChanges(spec: string, parameters: Parameters, others: Parameters = {}): Changes {
  const overrides = new Map<string, Value>()
  for (const [key, text] of changesIn(spec)) {
    if (overrides.has(key)) {
      throw new ExperimentError('bad-option', `${key} is there twice in "${spec}".`, 'Say it once.')
    }
    const all = { ...others, ...parameters }
    if (!Object.hasOwn(all, key)) throw unknownKey(spec, key, Object.keys(parameters))
    const value = parseValue(all[key], text)
    if (value === undefined) {
      throw new ExperimentError(
        'bad-option',
        `${key} in "${spec}" takes a ${all[key].kind}, not "${text}".`,
        `Give ${all[key].values}: ${all[key].description}.`,
      )
    }
    overrides.set(key, value)
  }
  return Object.fromEntries(overrides)
}

function unknownKey(spec: string, key: string, names: readonly string[]): ExperimentError {
  const { name } = splitSpec(spec)
  const remedy = `${didYouMean(key, names)}Write ${name}:key=value,… with ${names.join(', ')}.`
  return new ExperimentError(
    'bad-option',
    `"${key}" in "${spec}" is no parameter of ${name}.`,
    names.length === 0 ? 'It has none.' : remedy,
  )
}

const pickOverrides = (options: object): Changes =>
  Object.fromEntries(
    Object.entries(options as Overrides).flatMap(([key, value]) =>
      Object.hasOwn(builtInParameters, key) && value !== undefined ? [[key, value]] : [],
    ),
  )
