/** The folder that a comparison keeps its results in. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Sampling } from '../numerics/index.js'
import { ExperimentError } from './error.js'
import type { Environment } from './manifest.js'
import { writeWhole } from './output.js'

/** What must be the same for results to stand in one table. */
export interface ComparisonManifest {
  readonly environment: Environment
  readonly sampling: Sampling
  readonly seed: number
  readonly imagesAtOnce: number
}

/**
 * Begins a folder's manifest, or makes sure that the results which are there already belong to the same comparison.
 * Policies, guidance scales and prompts may be added to one.
 * @throws ExperimentError `bad-output` where they do not.
 */
export async function openFolder(folder: string, manifest: ComparisonManifest): Promise<void> {
  const file = join(folder, 'manifest.json')
  if (!existsSync(file)) return writeWhole(file, `${JSON.stringify(manifest, null, 2)}\n`)
  const before: Partial<ComparisonManifest> = JSON.parse(readFileSync(file, 'utf8'))
  const different = Object.entries(deciding(manifest)).filter(
    ([name, value]) => !isDeepStrictEqual(value, deciding(before)[name]),
  )
  if (different.length === 0) return
  throw new ExperimentError(
    'bad-output',
    `${folder} holds results of another ${different.map(([name]) => name).join(', ')}.`,
    'Choose another folder with --out.',
  )
}

/** The parts that decide results, by the names that a user knows. */
function deciding({
  environment,
  sampling,
  seed,
  imagesAtOnce,
}: Partial<ComparisonManifest>): Record<string, unknown> {
  return {
    checkpoint: environment?.model.hash,
    device: environment?.device,
    dtype: environment?.dtype,
    sampling,
    seed,
    'images-at-once': imagesAtOnce,
  }
}
