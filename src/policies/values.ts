import { didYouMean } from '../common/did-you-mean.js'
import { PolicyError } from '../decoding/index.js'

/** @throws PolicyError that names the choices, where the value is none of them. */
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
