/** The folder that runs keep their manifest and their results in. */
import { existsSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { ExperimentError } from './error.js'
import { deciding, settingsHash } from './identity.js'
import {
  type Manifest,
  type ManifestImage,
  type ManifestRun,
  manifestFile,
  readManifest,
  writeManifest,
} from './manifest.js'
import { resultsFile } from './results.js'

/** A run that a folder may know already. */
export type NewRun = Omit<ManifestRun, 'id'>

/**
 * Begins a folder, or writes the run into the manifest that is there. A comparison's or study's folder has one run, to
 * which policies, guidance scales, prompts and seeds may be added. `generate` piles up: a run with settings of its own, one
 * row, is put behind the others; one whose settings are there adds its images to those. Where there are no results yet, a
 * manifest binds nobody.
 * @returns the run as it now stands in the manifest.
 * @throws ExperimentError `bad-output` where the results that are there are of another command, or do not belong to the
 *   same comparison; where manifest or results are somebody else's.
 */
export async function openFolder(
  folder: string,
  command: Manifest['command'],
  run: NewRun,
): Promise<ManifestRun> {
  const before = existsSync(manifestFile(folder)) ? manifestIn(folder) : null
  if (!existsSync(resultsFile(folder))) {
    const first = { id: 1, ...run }
    await writeManifest(folder, { format: 2, command, runs: [first] })
    return first
  }
  refuseOther(folder, before, command)
  const same = command === 'generate' ? before.runs.find((other) => isSame(other, run)) : before.runs[0]
  if (command !== 'generate') refuseUnless(folder, before.runs[0], run)
  const now = same ? extended(same, run) : { id: before.runs.length + 1, ...run }
  const runs = same ? before.runs.map((other) => (other === same ? now : other)) : [...before.runs, now]
  if (!isDeepStrictEqual(runs, before.runs)) await writeManifest(folder, { ...before, runs })
  return now
}

/** The manifest of a folder that has a file of that name: a run's, or it is left as it is. */
function manifestIn(folder: string): Manifest {
  try {
    return readManifest(manifestFile(folder))
  } catch (cause) {
    const { message } = cause as Error
    throw new ExperimentError('bad-output', message, 'Choose another folder with --out.', { cause })
  }
}

function refuseOther(
  folder: string,
  before: Manifest | null,
  command: Manifest['command'],
): asserts before is Manifest {
  if (before?.command === command) return
  throw new ExperimentError(
    'bad-output',
    before === null
      ? `${folder} holds results, but no manifest that says what they are of.`
      : `${folder} holds the results of sjd2 ${before.command}; those of sjd2 ${command} do not go with them.`,
    before === null
      ? 'Restore manifest.json, or choose another folder with --out.'
      : 'Choose another folder with --out.',
  )
}

/** Of `generate`: whether pictures of the same prompt, seed and index would be the same. */
const isSame = (a: NewRun, b: NewRun): boolean => settingsHash(a, a.rows[0]) === settingsHash(b, b.rows[0])

const extended = (before: ManifestRun, more: NewRun): ManifestRun => ({
  ...before,
  rows: joined(before.rows, more.rows, ({ id }) => id),
  images: joined(before.images, more.images, imageKey),
  leftOut: joined(before.leftOut, more.leftOut, ({ prompt }) => prompt),
})

function refuseUnless(folder: string, before: NewRun, now: NewRun): void {
  const different = [
    ...differences(comparable(before), comparable(now)),
    ...now.rows.flatMap((row) => {
      const same = before.rows.find(({ id }) => id === row.id)
      return same && !isDeepStrictEqual(same, row) ? [`version of ${row.spec}`] : []
    }),
  ]
  if (different.length === 0) return
  throw new ExperimentError(
    'bad-output',
    `${folder} holds results of another ${different.join(', ')}.`,
    'Choose another folder with --out.',
  )
}

/** What must agree where results are compared: what decides the images, and what decides their times and measures. */
const comparable = (run: NewRun): Record<string, unknown> => ({
  ...deciding(run),
  'images-at-once': run.imagesAtOnce,
  metrics: run.metrics,
})

const differences = (before: Record<string, unknown>, now: Record<string, unknown>): string[] =>
  Object.keys(now).filter((name) => !isDeepStrictEqual(now[name], before[name]))

const imageKey = ({ prompt, seed, index }: ManifestImage): string => JSON.stringify([prompt, seed, index])

function joined<T>(before: readonly T[], more: readonly T[], key: (one: T) => string): T[] {
  const known = new Set(before.map(key))
  return [...before, ...more.filter((one) => !known.has(key(one)))]
}
