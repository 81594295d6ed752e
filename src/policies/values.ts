/** Readers of settings' values, each with a refusal that says what is expected. */

import { didYouMean } from '../common/did-you-mean.js'
import { PolicyError } from '../decoding/index.js'

export function wholeNumber(option: string, value: number, least: number, most = Infinity): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  const range = most === Infinity ? `${least} or more` : `${least} to ${most}`
  throw new PolicyError(`${option} is ${value}.`, `Give a whole number, ${range}.`, { option })
}

export function notNegative(option: string, value: number): number {
  if (value >= 0 && value < Infinity) return value
  throw new PolicyError(`${option} is ${value}.`, 'Give a number, 0 or more.', { option })
}

export function choose<T>(option: string, value: string, choices: Readonly<Record<string, T>>): T {
  if (Object.hasOwn(choices, value)) return choices[value]
  throw new PolicyError(
    `There is no ${option} "${value}".`,
    `${didYouMean(value, Object.keys(choices))}Choose one of ${Object.keys(choices).join(', ')}.`,
    { option },
  )
}

export function withoutUndefined<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const defined = Object.entries(values).filter(([, value]) => value !== undefined)
  return Object.fromEntries(defined) as { [K in keyof T]: Exclude<T[K], undefined> }
}
