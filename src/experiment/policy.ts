/** Policies by name or from a user's file, with what is changed of them. */
import { isAbsolute, join } from 'node:path'
import { z } from 'zod'
import { didYouMean } from '../common/did-you-mean.js'
import type { DecodingPolicy, Model } from '../decoding/index.js'
import { composePolicy, createPolicy, type PolicyOverrides } from '../policies/index.js'
import { openPolicyFile, type UserPolicy } from '../user-modules/index.js'
import { ExperimentError } from './error.js'
import { builtIn, ofFiles, type Source } from './source.js'

export interface PolicyChoice {
  /** As it was asked for: `mc-sjd:window=96,init=above`. */
  readonly spec: string
  readonly overrides: PolicyOverrides
  readonly source: Source
  /** The path of its file, from the working folder; null for a policy by name. */
  readonly file: string | null
  /** @throws PolicyError where the overrides make no sense or the model cannot serve the policy. */
  create(model: Model): DecodingPolicy
}

/** Every override that there is, with the type of its value. */
export const overrideTypes = {
  window: 'number',
  init: 'string',
  coupling: 'string',
  threshold: 'number',
  accept: 'string',
  group: 'number',
  distance: 'number',
  nearest: 'number',
  delta: 'number',
  levels: 'number',
  denoise: 'string',
  margin: 'number',
  branches: 'number',
  siblings: 'number',
  depth: 'number',
  rows: 'number',
  lag: 'number',
  verify: 'string',
  keepNoisyKeys: 'boolean',
} as const satisfies Record<keyof PolicyOverrides, string>

/** Overrides as files keep them. */
export const overridesSchema = z.record(z.string(), z.union([z.number(), z.string(), z.boolean()]))

export const overrideNames: readonly string[] = Object.keys(overrideTypes)

/**
 * Finds a policy before anything is started.
 * @param spec `name`, `file.ts`, or either with `:key=value,…` behind it.
 * @param options other overrides, which win; whatever else they hold is left alone.
 * @param folder that a policy file's path counts from.
 * @throws ExperimentError `bad-option`, or PolicyError, where there is no such policy or override.
 */
export async function choosePolicy(
  spec: string,
  options: PolicyOverrides = {},
  folder = '.',
): Promise<PolicyChoice> {
  return choose(spec, options, folder, openPolicyFile)
}

/**
 * What decodes where nobody says how: sjd2, and mc-sjd where the checkpoint was not trained to read noise and sjd2 under
 * these overrides would feed it some.
 * @throws as `choosePolicy` does.
 */
export async function usualPolicy(options: PolicyOverrides): Promise<(model: Model) => PolicyChoice> {
  const sjd2 = await choosePolicy('sjd2', options)
  if (!composePolicy('sjd2', sjd2.overrides).noisy) return () => sjd2
  // overrides that only noise gives a meaning ask for sjd2, which then says what the checkpoint lacks
  const clean = await choosePolicy('mc-sjd', options).catch(() => sjd2)
  return (model) => (model.denoising === null ? clean : sjd2)
}

/** As `choosePolicy`, for several, which may be the same file under different overrides. */
export function choosePolicies(specs: readonly string[], folder = '.'): Promise<PolicyChoice[]> {
  const opened = new Map<string, Promise<UserPolicy>>()
  const open = (path: string) => {
    const policy = opened.get(path) ?? openPolicyFile(path)
    opened.set(path, policy)
    return policy
  }
  return Promise.all(specs.map((spec) => choose(spec, {}, folder, open)))
}

async function choose(
  spec: string,
  options: PolicyOverrides,
  folder: string,
  open: (path: string) => Promise<UserPolicy>,
): Promise<PolicyChoice> {
  const { name, changes } = splitSpec(spec)
  const overrides = { ...parseOverrides(spec, changes), ...pickOverrides(options) }
  if (isFile(name)) {
    const file = isAbsolute(name) ? name : join(folder, name)
    return { ...ofFile(spec, await open(file), overrides), file }
  }
  composePolicy(name, overrides) // what makes no sense is refused now, not when the model is loaded
  return {
    spec,
    overrides,
    source: builtIn(name),
    file: null,
    create: (model) => createPolicy(name, overrides, model),
  }
}

/** A choice of a policy file that is loaded already. */
export function ofFile(
  spec: string,
  { create, source }: UserPolicy,
  overrides: PolicyOverrides,
): PolicyChoice {
  return { spec, overrides, source: ofFiles(source), file: null, create: (model) => create(model, overrides) }
}

/** A policy's name or file, and what stands behind it. */
export function splitSpec(spec: string): { name: string; changes: string } {
  const [, name, changes = ''] = /^(.+?)(?::([^:]*=[^:]*))?$/.exec(spec) ?? [spec, spec]
  return { name, changes }
}

/** Of a policy's overrides, those that its specification does not say itself. */
export function besides(spec: string, overrides: PolicyOverrides): PolicyOverrides {
  const said = parseOverrides(spec, splitSpec(spec).changes)
  const others = Object.entries(overrides).filter(
    ([key, value]) => said[key as keyof PolicyOverrides] !== value,
  )
  return Object.fromEntries(others)
}

/** The specification of a policy under overrides; `choosePolicy` reads it. */
export function formatSpec(name: string, overrides: PolicyOverrides): string {
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

function parseOverrides(spec: string, changes: string): PolicyOverrides {
  const entries = changes.split(',').filter(Boolean)
  const overrides = new Map<string, string | number | boolean>()
  for (const [key, value] of entries.map((change) => parseOverride(spec, change))) {
    if (overrides.has(key)) {
      throw new ExperimentError('bad-option', `${key} is there twice in "${spec}".`, 'Say it once.')
    }
    overrides.set(key, value)
  }
  return Object.fromEntries(overrides)
}

function parseOverride(spec: string, change: string): [string, string | number | boolean] {
  const [key, value = ''] = change.split(/=(.*)/)
  const type = isOverride(key) ? overrideTypes[key] : undefined
  if (type === 'number' && value.trim() !== '' && Number.isFinite(Number(value))) return [key, Number(value)]
  if (type === 'boolean' && /^(true|false)$/.test(value)) return [key, value === 'true']
  if (type === 'string' && value !== '') return [key, value]
  throw new ExperimentError(
    'bad-option',
    type
      ? `${key} in "${spec}" takes a ${type}, not "${value}".`
      : `"${key}" in "${spec}" is nothing a policy has.`,
    `${type ? '' : didYouMean(key, overrideNames)}Write name:key=value,… with ${overrideNames.join(', ')}.`,
  )
}

const isOverride = (key: string): key is keyof PolicyOverrides => Object.hasOwn(overrideTypes, key)

const pickOverrides = (options: PolicyOverrides): PolicyOverrides =>
  Object.fromEntries(Object.entries(options).filter(([key, value]) => isOverride(key) && value !== undefined))
