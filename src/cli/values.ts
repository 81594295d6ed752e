/** Readers of option values, each with a message that says what is expected. */
import { InvalidArgumentError } from 'commander'

const reader =
  (expected: string, read: (text: string) => number, holds: (value: number) => boolean) =>
  (text: string): number => {
    const value = text.trim() === '' ? Number.NaN : read(text)
    if (!holds(value)) throw new InvalidArgumentError(`It must be ${expected}.`)
    return value
  }

const wholeFrom = (least: number) => (value: number) => Number.isSafeInteger(value) && value >= least

export const count = reader('a whole number from 1', Number, wholeFrom(1))
export const natural = reader('a whole number from 0', Number, wholeFrom(0))
export const seed = reader(`a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`, Number, wholeFrom(0))
export const notNegative = reader('a number from 0', Number, (v) => Number.isFinite(v) && v >= 0)
export const share = reader('a number above 0 and at most 1', Number, (v) => v > 0 && v <= 1)
export const real = reader('a number', Number, Number.isFinite)

/** How many positions, or `fastest`: to be measured. */
export const window = (text: string): number | 'fastest' =>
  text === 'fastest' ? text : reader('a whole number from 1, or fastest', Number, wholeFrom(1))(text)

/** A folder or file to write; nothing, where a shell's variable was empty, is none. */
export function place(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('It must be a path.')
  return text
}

/** `768` or `512x768`: height and width in pixels. */
export function size(text: string): string {
  if (!/^[1-9]\d{0,4}(x[1-9]\d{0,4})?$/.test(text)) {
    throw new InvalidArgumentError('It must be a number of pixels, or height x width: 768 or 512x768.')
  }
  return text
}

/** Without what is undefined or null, which would hide a default. */
export function given<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const defined = Object.entries(values).filter(([, value]) => value !== undefined && value !== null)
  return Object.fromEntries(defined) as { [K in keyof T]?: NonNullable<T[K]> }
}
