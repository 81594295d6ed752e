/** Pictures as PNG files that carry, as text, the parameters that made them. */
import { encode } from 'fast-png'
import type { Picture } from '../engine/index.js'

/** Keyword of the text chunk that holds the parameters, as JSON. */
export const PARAMETERS_KEYWORD = 'sjd2'

/** The bytes of a PNG file. */
export function encodePicture(picture: Picture, parameters: object): Uint8Array {
  const { width, height, rgb } = picture
  const text = { Software: 'sjd2', [PARAMETERS_KEYWORD]: asciiJson(parameters) }
  return encode({ width, height, data: rgb, channels: 3, depth: 8, text })
}

/** `<slug of the prompt>-s<seed>-<index>-<hash>.png`; the hash is of all that decides the picture (see `shortHash`). */
export const pictureName = (
  { prompt, seed, index }: { prompt: string; seed: number; index: number },
  hash: string,
): string => `${slug(prompt)}-s${seed}-${index}-${hash}.png`

/** A prompt as a file name: lower-case letters and digits of any script, at most 120 bytes. */
export function slug(prompt: string): string {
  const words = prompt
    .toLowerCase()
    .normalize('NFC')
    .match(/[\p{L}\p{N}][\p{L}\p{M}\p{N}]*/gu) ?? ['picture']
  // a character that the cut falls into is dropped
  const cut = new TextDecoder().decode(new TextEncoder().encode(words.join('-')).subarray(0, 120))
  return cut.replace(/[\ufffd-]+$/, '')
}

/** A policy's spec as a file name: `sjd++` is not `sjd`. */
export const specSlug = (spec: string): string => slug(spec.replaceAll('+', ' plus '))

/** PNG text chunks are Latin-1; JSON can say every other character in ASCII. */
function asciiJson(value: object): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
