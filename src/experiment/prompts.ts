/** Where prompts come from: text files, JSON lines, tables, standard input, lists. */
import { readFile } from 'node:fs/promises'
import { addAbortSignal } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { csvParseRows } from 'd3-dsv'
import { z } from 'zod'
import { ExperimentError } from './error.js'
import { readUtf8 } from './utf8.js'

/** What else was said of a prompt, by name: a category, a tag, what its picture should hold. */
export const fieldsSchema = z.record(z.string(), z.json())
export type Fields = z.infer<typeof fieldsSchema>

export interface Prompt {
  readonly text: string
  /** `prompts.txt:3`, or `prompt 2` of several; null where there is but one. */
  readonly where: string | null
  readonly fields?: Fields
}

/** A part of a file that is no prompt: its line, and why, as the end of a sentence. */
interface Fault {
  readonly line: number
  readonly reason: string
}

type Read = (Omit<Prompt, 'where'> & { readonly line: number }) | Fault

/** Faults that are told; of more, how many. */
const SHOWN = 10

const REMEDY =
  'Give one prompt a line (lines that begin with # are comments), JSON lines with "prompt", or a table with a column ' +
  'Prompt (.tsv, .csv), in UTF-8.'

/** Why a text can be no prompt; undefined where it can. */
export function promptFault(text: string): string | undefined {
  if (text.trim() === '') return 'it is empty'
  if (!text.isWellFormed()) return 'it holds half a surrogate pair, which is no character'
  return undefined
}

/**
 * Prompts of a list, such as the command line's.
 * @throws ExperimentError `bad-prompt`
 */
export function listPrompts(texts: readonly string[]): Prompt[] {
  return texts.map((text, i) => {
    const where = texts.length > 1 ? `prompt ${i + 1}` : null
    const fault = promptFault(text)
    if (fault === undefined) return { text, where }
    throw new ExperimentError(
      'bad-prompt',
      `${where ?? 'The prompt'} cannot be read: ${fault}.`,
      'Say in words what the picture shows.',
    )
  })
}

/**
 * Prompts of a file, in its order; equal ones stay. A file is JSON lines (`.jsonl`) or a table (`.tsv`, `.csv`) by its name or
 * its first line, else a text with one prompt a line. JSON's other keys and a table's other columns become `fields`.
 * @param file `-`: standard input.
 * @param signal ends the waiting for standard input.
 * @throws ExperimentError `bad-prompts-file` naming each line that is wrong; the signal's reason.
 */
export async function readPrompts(file: string, signal?: AbortSignal): Promise<Prompt[]> {
  const name = file === '-' ? 'standard input' : file
  const refuse = (message: string, cause?: unknown) =>
    new ExperimentError('bad-prompts-file', message, REMEDY, { cause })
  const bytes = await (file === '-' ? standardInput(signal) : readFile(file)).catch((error) => {
    signal?.throwIfAborted()
    const { code, message } = error as NodeJS.ErrnoException
    throw refuse(
      `Cannot read the prompts in ${name}: ${code === 'ENOENT' ? 'it does not exist' : message}.`,
      error,
    )
  })
  const decoded = readUtf8(bytes)
  if ('reason' in decoded) throw refuse(`Cannot read the prompts in ${name}: ${decoded.reason}.`)
  const read = formatOf(file, decoded.text)(decoded.text)
  const faults = read.filter((one) => 'reason' in one)
  if (faults.length > 0) {
    const lines = faults.slice(0, SHOWN).map(({ line, reason }) => `${name}:${line}: ${reason}.`)
    const more = faults.length > SHOWN ? [`And ${faults.length - SHOWN} lines more.`] : []
    throw refuse([...lines, ...more].join('\n'))
  }
  if (read.length === 0) throw refuse(`There is no prompt in ${name}.`)
  return read
    .filter((one) => 'text' in one)
    .map(({ line, ...prompt }) => ({ ...prompt, where: `${name}:${line}` }))
}

const standardInput = (signal: AbortSignal | undefined): Promise<Buffer> =>
  buffer(signal ? addAbortSignal(signal, process.stdin) : process.stdin)

type Format = (text: string) => Read[]

function formatOf(file: string, text: string): Format {
  const extension = /\.(jsonl|ndjson|tsv|csv)$/i.exec(file)?.[1].toLowerCase()
  const [first] = text.split('\n', 1)
  if (extension === 'csv') return (whole) => table(csvParseRows(whole))
  if (extension === 'tsv' || (first.includes('\t') && promptKey(tabbed(first)) !== undefined)) {
    return (whole) => table(whole.split(/\r?\n/).map(tabbed))
  }
  return extension !== undefined || isPromptObject(first) ? jsonLines : textLines
}

const isPromptObject = (line: string): boolean => 'text' in jsonLine(line, 1)

function textLines(text: string): Read[] {
  return text.split(/\r\n|\r|\n/).flatMap((line, i) => {
    const prompt = line.trim()
    return prompt === '' || prompt.startsWith('#') ? [] : [{ text: prompt, line: i + 1 }]
  })
}

/** Only line feeds end a line of JSON: U+2028 and its like may stand in a text. */
function jsonLines(text: string): Read[] {
  return text.split('\n').flatMap((line, i) => (line.trim() === '' ? [] : [jsonLine(line, i + 1)]))
}

function jsonLine(text: string, line: number): Read {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return { line, reason: `it is no JSON: ${(error as Error).message}` }
  }
  const { data } = fieldsSchema.safeParse(value)
  if (data === undefined) return { line, reason: 'it is no JSON object' }
  return promptOf(data, line)
}

/** The first row names the columns; a row without any text is none. */
function table([header = [], ...rows]: readonly (readonly string[])[]): Read[] {
  if (promptKey(header) === undefined) return [{ line: 1, reason: 'the first line names no column Prompt' }]
  let next = 2 // behind the header
  return rows.flatMap((row) => {
    const line = next
    next += row.join('').split('\n').length // a cell may hold line ends
    const cells = header.flatMap((name, i) => (row[i] ? [[name, row[i]] as const] : []))
    return cells.length === 0 ? [] : [promptOf(Object.fromEntries(cells), line)]
  })
}

/**
 * Tables with tabs have no quotes: a prompt may begin with one. But programs that write quotes double those within, which
 * tells a cell that they quoted from one that begins and ends with a quote of its own.
 */
function tabbed(line: string): string[] {
  return line.split('\t').map((cell) => {
    const [, quoted] = /^"((?:[^"]|"")*)"$/.exec(cell) ?? []
    return quoted === undefined ? cell : quoted.replaceAll('""', '"')
  })
}

const promptKey = (names: readonly string[]): string | undefined =>
  names.find((name) => name.trim().toLowerCase() === 'prompt')

function promptOf(values: Fields, line: number): Read {
  const key = promptKey(Object.keys(values))
  if (key === undefined) return { line, reason: 'it has no prompt' }
  const { [key]: prompt, ...fields } = values
  if (typeof prompt !== 'string')
    return { line, reason: `its prompt is ${JSON.stringify(prompt)}, and should be a text` }
  const fault = promptFault(prompt)
  if (fault !== undefined) return { line, reason: fault.replace(/^it/, 'its prompt') }
  return { text: prompt.trim(), line, ...(Object.keys(fields).length > 0 && { fields }) }
}
