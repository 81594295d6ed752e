/** Policies by name or from a user's file, with what is changed of them. */
import type { DecodingPolicy, Model } from '../decoding/index.js'
import { createPolicy, loadPolicyFile, type PolicyOverrides, policyNames } from '../policies/index.js'
import { ExperimentError } from './error.js'

export interface PolicyChoice {
  /** As it was asked for: `mc-sjd:window=96,init=above`. */
  readonly spec: string
  readonly overrides: PolicyOverrides
  /** @throws PolicyError where the overrides make no sense or the model cannot serve the policy. */
  create(model: Model): DecodingPolicy
}

/** Every override that there is, with the type of its value. */
const overrideTypes = {
  window: 'number',
  init: 'string',
  coupling: 'string',
  threshold: 'number',
  accept: 'string',
  group: 'number',
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

/**
 * Finds a policy before anything is started.
 * @param spec `name`, `file.ts`, or either with `:key=value,…` behind it.
 * @param options other overrides, which win; whatever else they hold is left alone.
 * @throws ExperimentError `bad-option`, or PolicyError, where there is no such policy or override.
 */
export async function choosePolicy(spec: string, options: PolicyOverrides = {}): Promise<PolicyChoice> {
  const [, name, changes = ''] = /^(.+?)(?::([^:]*=[^:]*))?$/.exec(spec) ?? [spec, spec]
  const overrides = { ...parseOverrides(spec, changes), ...pickOverrides(options) }
  if (isFile(name)) {
    const make = await loadPolicyFile(name)
    return { spec, overrides, create: (model) => make(model, overrides) }
  }
  if (!policyNames.includes(name)) {
    throw new ExperimentError(
      'bad-option',
      `There is no policy "${name}".`,
      `Choose one of ${policyNames.join(', ')}, or give the path of a policy file of your own (./mine.ts).`,
    )
  }
  return { spec, overrides, create: (model) => createPolicy(name, overrides, model) }
}

const isFile = (name: string): boolean => /[/\\]|\.[cm]?[jt]s$/.test(name)

function parseOverrides(spec: string, changes: string): PolicyOverrides {
  const entries = changes.split(',').filter(Boolean)
  return Object.fromEntries(entries.map((change) => parseOverride(spec, change)))
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
    `Write name:key=value,… with ${Object.keys(overrideTypes).join(', ')}.`,
  )
}

const isOverride = (key: string): key is keyof PolicyOverrides => Object.hasOwn(overrideTypes, key)

const pickOverrides = (options: PolicyOverrides): PolicyOverrides =>
  Object.fromEntries(Object.entries(options).filter(([key, value]) => isOverride(key) && value !== undefined))
