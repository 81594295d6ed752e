import { closest, distance } from 'fastest-levenshtein'

/** A hint, with a space behind it, where a name is nearly one of those that there are; else nothing. */
export function didYouMean(name: string, names: readonly string[]): string {
  if (names.length === 0) return ''
  const lower = names.map((one) => one.toLowerCase())
  const near = closest(name.toLowerCase(), lower)
  const apart = distance(name.toLowerCase(), near)
  const isNear = apart < name.length && apart <= Math.max(2, name.length / 3)
  return isNear ? `Did you mean ${names[lower.indexOf(near)]}? ` : ''
}
