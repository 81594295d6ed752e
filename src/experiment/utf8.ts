/** Text files: UTF-8, with or without a byte order mark. Others are told what they are, not read as something else. */

const MARKS: readonly (readonly [readonly number[], string])[] = [
  [[0xff, 0xfe], 'UTF-16'],
  [[0xfe, 0xff], 'UTF-16'],
]

const decode = (bytes: Uint8Array): string => new TextDecoder('utf-8', { fatal: true }).decode(bytes)

/** The text, without its mark; or why there is none, as the end of a sentence about the file. */
export function readUtf8(bytes: Uint8Array): { readonly text: string } | { readonly reason: string } {
  const marked = MARKS.find(([mark]) => mark.every((byte, i) => bytes[i] === byte))
  if (marked) return { reason: `it is ${marked[1]}, and should be UTF-8` }
  const zero = bytes.indexOf(0)
  if (zero >= 0)
    return {
      reason: `line ${lineOf(bytes, zero)} holds a zero byte: it is UTF-16, or no text, and should be UTF-8`,
    }
  try {
    return { text: decode(bytes) }
  } catch {
    const line = firstWrongLine(bytes)
    return { reason: `line ${line} is not UTF-8: it may be Latin-1 (Windows-1252) or another older encoding` }
  }
}

const NEW_LINE = 10

const lineOf = (bytes: Uint8Array, at: number): number =>
  bytes.subarray(0, at).reduce((line, byte) => (byte === NEW_LINE ? line + 1 : line), 1)

/** No character of UTF-8 goes over a line's end, so that lines can be looked at one by one. */
function firstWrongLine(bytes: Uint8Array): number {
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(NEW_LINE, start)
    const next = end < 0 ? bytes.length : end + 1
    try {
      decode(bytes.subarray(start, next))
    } catch {
      return lineOf(bytes, start)
    }
    start = next
  }
  throw new Error('Every line is UTF-8.')
}
