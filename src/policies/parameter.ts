/**
 * Parameters of policies. A policy declares each of its own once: type, default, range, one line of description. What a
 * user may write follows from that: `name:key=value`, flags, keys of a study, `sjd2 policies NAME`.
 */

import { didYouMean } from '../common/did-you-mean.js'
import { PolicyError } from '../decoding/index.js'
import { choose, withoutUndefined } from './values.js'

export type Value = number | string | boolean

export interface Parameter<T extends Value = Value> {
  readonly kind: 'number' | 'string' | 'boolean'
  readonly default: T
  /** One line. */
  readonly description: string
  /** Which values it takes, in words: `a whole number, 1 or more`. */
  readonly values: string
  /**
   * The value, where it is one of those that the parameter takes.
   * @param name the parameter's, for messages.
   * @throws PolicyError
   */
  check(name: string, value: unknown): T
}

/** A policy's parameters by name. */
export type Parameters = Readonly<Record<string, Parameter>>

/** A value for each parameter. */
export type Values<P extends Parameters> = {
  readonly [K in keyof P]: P[K] extends Parameter<infer T> ? T : never
}

/** What a user changes, by the parameter's name; undefined: nothing. */
export type Overrides = Readonly<Record<string, Value | undefined>>

/** What is changed of a policy, by the parameter's name. */
export type Changes = Readonly<Record<string, Value>>

/** Both ends belong to the range; one that is left out is not limited. */
export interface Range {
  readonly least?: number
  readonly most?: number
}

/** A whole number. */
export const integer = (preset: number, description: string, range: Range = {}): Parameter<number> =>
  numeric('a whole number', Number.isInteger, preset, description, range)

/** A finite number. */
export const number = (preset: number, description: string, range: Range = {}): Parameter<number> =>
  numeric('a number', Number.isFinite, preset, description, range)

/** One of several names. */
export function oneOf<T extends string>(
  names: readonly T[],
  preset: NoInfer<T>,
  description: string,
): Parameter<T> {
  const choices = Object.fromEntries(names.map((name) => [name, name]))
  const check = (option: string, value: unknown) =>
    choose(option, ofKind('string', option, value) as string, choices) as T
  return { kind: 'string', default: preset, description, values: names.join(', '), check }
}

/** True or false. */
export const flag = (preset: boolean, description: string): Parameter<boolean> => ({
  kind: 'boolean',
  default: preset,
  description,
  values: 'true, false',
  check: (option, value) => ofKind('boolean', option, value) as boolean,
})

function numeric(
  what: string,
  holds: (value: number) => boolean,
  preset: number,
  description: string,
  { least = -Infinity, most = Infinity }: Range,
): Parameter<number> {
  const values = [what, ...rangeInWords(least, most)].join(', ')
  const check = (option: string, given: unknown) => {
    const value = ofKind('number', option, given) as number
    if (holds(value) && value >= least && value <= most) return value
    throw new PolicyError(`${option} is ${value}.`, `Give ${values}.`, { option })
  }
  return { kind: 'number', default: preset, description, values, check }
}

function rangeInWords(least: number, most: number): string[] {
  if (least > -Infinity && most < Infinity) return [`${least} to ${most}`]
  if (least > -Infinity) return [`${least} or more`]
  return most < Infinity ? [`${most} or less`] : []
}

function ofKind(kind: Parameter['kind'], option: string, value: unknown): unknown {
  if (typeof value === kind) return value
  throw new PolicyError(`${option} takes a ${kind}, not ${JSON.stringify(value)}.`, `Give a ${kind}.`, {
    option,
  })
}

/**
 * A value for each parameter: what the user gave, else the default.
 * @param of the policy's name, for messages.
 * @param lacks why there is no such parameter, by names that others have.
 * @throws PolicyError that names the key, where there is no such parameter or the value is none of its values.
 */
export function valuesOf<P extends Parameters>(
  of: string,
  parameters: P,
  overrides: Overrides,
  lacks: Readonly<Record<string, string>> = {},
): Values<P> {
  const asked = withoutUndefined(overrides)
  for (const option of Object.keys(asked)) checkName(of, parameters, option, lacks)
  const values = Object.entries(parameters).map(([option, parameter]) => [
    option,
    parameter.check(option, Object.hasOwn(asked, option) ? asked[option] : parameter.default),
  ])
  return Object.fromEntries(values) as Values<P>
}

function checkName(
  of: string,
  parameters: Parameters,
  option: string,
  lacks: Readonly<Record<string, string>>,
): void {
  if (Object.hasOwn(parameters, option)) return
  const names = Object.keys(parameters)
  const reason = Object.hasOwn(lacks, option) ? `: ${lacks[option]}` : ''
  throw new PolicyError(
    `${of} has no ${option}${reason}.`,
    names.length === 0
      ? 'It takes no parameters.'
      : `${didYouMean(option, names)}It takes ${names.join(', ')}.`,
    { option },
  )
}

/** The value that a text stands for; undefined where it is none of the parameter's kind. */
export function parseValue({ kind }: Parameter, text: string): Value | undefined {
  switch (kind) {
    case 'number':
      return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : undefined
    case 'boolean':
      return /^(true|false)$/.test(text) ? text === 'true' : undefined
    case 'string':
      return text === '' ? undefined : text
  }
}
