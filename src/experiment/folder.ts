/** The folder that a run keeps its manifest and its results in. */
import { existsSync, rmSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { ExperimentError } from './error.js'
import {
  type Manifest,
  type ManifestImage,
  manifestFile,
  readManifest,
  writeManifest,
} from './manifest.js'
import { resultsFile } from './results.js'

/**
 * Begins a folder, or makes sure that the results which are there already belong to the same run. Policies, guidance
 * scales, prompts and seeds may be added to one. Where there are no results yet, a manifest binds nobody.
 * @returns the folder's manifest.
 * @throws ExperimentError `bad-output` where they do not.
 */
export async function openFolder(folder: string, manifest: Manifest): Promise<Manifest> {
  if (!existsSync(manifestFile(folder))) return begin(folder, manifest)
  const before = manifestIn(folder)
  if (!existsSync(resultsFile(folder))) return begin(folder, manifest)
  refuseUnless(folder, before, manifest)
  const whole = {
    ...before,
    rows: joined(before.rows, manifest.rows, ({ id }) => id),
    images: joined(before.images, manifest.images, imageKey),
    leftOut: joined(before.leftOut, manifest.leftOut, ({ prompt }) => prompt),
  }
  if (!isDeepStrictEqual(whole, before)) await writeManifest(folder, whole)
  return whole
}

/**
 * Begins a folder anew: what `generate` does, whose pictures pile up in one folder.
 * @throws ExperimentError `bad-output` where that would destroy the results of a comparison, or files of somebody else's.
 */
export async function renewFolder(folder: string, manifest: Manifest): Promise<Manifest> {
  if (!existsSync(manifestFile(folder))) return begin(folder, manifest)
  const { command } = manifestIn(folder)
  if (command !== 'generate' && existsSync(resultsFile(folder))) {
    throw new ExperimentError(
      'bad-output',
      `${folder} holds the results of sjd2 ${command}, which would be lost.`,
      'Choose another folder with --out.',
    )
  }
  rmSync(resultsFile(folder), { force: true })
  return begin(folder, manifest)
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

async function begin(folder: string, manifest: Manifest): Promise<Manifest> {
  if (existsSync(resultsFile(folder))) {
    throw new ExperimentError(
      'bad-output',
      `${folder} holds results, but no manifest that says what they are of.`,
      'Restore manifest.json, or choose another folder with --out.',
    )
  }
  await writeManifest(folder, manifest)
  return manifest
}

function refuseUnless(folder: string, before: Manifest, now: Manifest): void {
  const different = [
    ...differences(deciding(before), deciding(now)),
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

/** The parts that decide results, by the names that a user knows. */
const deciding = ({
  environment,
  checkpoint,
  sampling,
  imagesAtOnce,
  metrics,
}: Manifest): Record<string, unknown> => ({
  checkpoint: environment.model.hash,
  adapter: checkpoint.adapter,
  size: checkpoint.size,
  quantize: checkpoint.quantize,
  device: environment.device,
  dtype: environment.dtype,
  torch: environment.torch,
  sjd2: environment.sjd2,
  sampling,
  'images-at-once': imagesAtOnce,
  metrics,
})

const differences = (before: Record<string, unknown>, now: Record<string, unknown>): string[] =>
  Object.keys(now).filter((name) => !isDeepStrictEqual(now[name], before[name]))

const imageKey = ({ prompt, seed, index }: ManifestImage): string => JSON.stringify([prompt, seed, index])

function joined<T>(before: readonly T[], more: readonly T[], key: (one: T) => string): T[] {
  const known = new Set(before.map(key))
  return [...before, ...more.filter((one) => !known.has(key(one)))]
}
