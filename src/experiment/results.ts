/** results.jsonl: a line for each image of a run, appended as it comes. */
import { existsSync, readFileSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { ExperimentError, reasonOf } from './error.js'
import { appendLine, writeWhole } from './output.js'
import { type ImageRecord, recordSchema } from './record.js'

/** What names an image within a folder. */
export type ImageKey = Pick<ImageRecord, 'run' | 'spec' | 'guidance' | 'prompt' | 'seed' | 'index'>

export const keyOf = ({ run, spec, guidance, prompt, seed, index }: ImageKey): string =>
  JSON.stringify([run, spec, guidance, prompt, seed, index])

export const resultsFile = (folder: string): string => join(folder, 'results.jsonl')

/** @throws ExperimentError `bad-output` when the disk is full or the file cannot be written. */
export const appendResult = (folder: string, record: ImageRecord): Promise<void> =>
  appendLine(resultsFile(folder), JSON.stringify(record))

/**
 * The results that are in a folder, which somebody may be adding to: a last line without an end is none yet.
 * @throws ExperimentError `bad-output` naming the line that cannot be read, and why.
 */
export const readResults = (folder: string): ImageRecord[] => readLines(folder).map(({ record }) => record)

/**
 * Takes a last line that was cut off by a kill out of a folder's results; for whoever goes on with them.
 */
export function mendResults(folder: string): void {
  const { file, bytes, whole } = wholeLines(folder)
  if (whole < bytes.length) truncateSync(file, whole)
}

/** Takes the lines of images that are to be made again out of a folder's results. */
export async function dropResults(folder: string, keys: ReadonlySet<string>): Promise<void> {
  const kept = readLines(folder).filter(({ record }) => !keys.has(keyOf(record)))
  await writeWhole(resultsFile(folder), kept.map(({ line }) => `${line}\n`).join(''))
}

function readLines(folder: string): { line: string; record: ImageRecord }[] {
  const { file, bytes, whole } = wholeLines(folder)
  const lines = bytes.subarray(0, whole).toString('utf8').split('\n').slice(0, -1)
  return lines.map((line, i) => ({ line, record: parsed(line, `${file}, line ${i + 1}`) }))
}

/** The file's bytes, and how many of them are whole lines. */
function wholeLines(folder: string): { file: string; bytes: Buffer; whole: number } {
  const file = resultsFile(folder)
  const bytes = existsSync(file) ? readFileSync(file) : Buffer.alloc(0)
  return { file, bytes, whole: bytes.lastIndexOf('\n') + 1 }
}

function parsed(line: string, where: string): ImageRecord {
  try {
    return recordSchema.parse(JSON.parse(line), { reportInput: true })
  } catch (cause) {
    throw new ExperimentError(
      'bad-output',
      `${where}, is no result of a run: ${reasonOf(cause)}.`,
      'Remove that line, or name another folder.',
      { cause },
    )
  }
}

/**
 * Puts a finished run's lines in the order of its plan, so that a run that was interrupted leaves the same file as one
 * that was not. Runs stand in their order; of a run, lines that are not in the plan keep theirs, before the others.
 */
export async function sortResults(folder: string, plan: readonly ImageKey[]): Promise<ImageRecord[]> {
  const place = new Map(plan.map((key, i) => [keyOf(key), i]))
  const at = (record: ImageRecord) => place.get(keyOf(record)) ?? -1
  const lines = readLines(folder)
  const sorted = lines.toSorted(({ record: a }, { record: b }) => a.run - b.run || at(a) - at(b))
  if (sorted.some((entry, i) => entry !== lines[i])) {
    await writeWhole(resultsFile(folder), sorted.map(({ line }) => `${line}\n`).join(''))
  }
  return sorted.map(({ record }) => record)
}
