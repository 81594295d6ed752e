/** The texts of a PNG file that are compressed (zTXt) or in UTF-8 (iTXt): programs that copy a picture write these, too. */
import { inflateSync } from 'node:zlib'

/** More than any text of ours has; a damaged or hostile file may say far more. */
const LONGEST = 1 << 24
const SIGNATURE = 8
/** Length and type before a chunk's data, its checksum behind it. */
const HEAD = 8
const TAIL = 4

/** By keyword; PNG 3rd edition, 11.3.3. @throws where a text is damaged, or longer than 16 MiB. */
export function otherTexts(png: Uint8Array): Record<string, string> {
  const bytes = Buffer.from(png.buffer, png.byteOffset, png.byteLength)
  const texts: Record<string, string> = {}
  for (let at = SIGNATURE; at + HEAD <= bytes.length; ) {
    const data = bytes.subarray(at + HEAD, at + HEAD + bytes.readUInt32BE(at))
    const read = readers[bytes.toString('latin1', at + 4, at + HEAD)]
    if (read) {
      const [keyword, rest] = split(data)
      texts[keyword.toString('latin1')] = read(rest)
    }
    at += HEAD + data.length + TAIL
  }
  return texts
}

/** What follows the keyword, as text, by the chunk's type. */
const readers: Readonly<Record<string, (rest: Buffer) => string>> = {
  /** The method of compression, and the text in Latin-1. */
  zTXt: (rest) => inflated(rest.subarray(1)).toString('latin1'),
  /** Whether it is compressed, the method, a language, the keyword in that language, and the text in UTF-8. */
  iTXt(rest) {
    const [, behindLanguage] = split(rest.subarray(2))
    const [, text] = split(behindLanguage)
    return (rest[0] === 0 ? text : inflated(text)).toString('utf8')
  },
}

const inflated = (data: Buffer): Buffer => inflateSync(data, { maxOutputLength: LONGEST })

/** What stands before the first zero byte, and behind it. */
function split(data: Buffer): [Buffer, Buffer] {
  const end = data.indexOf(0)
  if (end < 0) throw new Error('a text of it has no end')
  return [data.subarray(0, end), data.subarray(end + 1)]
}
