/** What a finished run left in its folder. */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  ExperimentError,
  type ImageRecord,
  type Manifest,
  manifestFile,
  type RecordedTrajectory,
  readManifest,
  readResults,
  reasonOf,
  trajectoriesFolder,
  trajectorySchema,
} from '../experiment/index.js'

export interface Run {
  readonly manifest: Manifest
  /** At least one. */
  readonly results: readonly ImageRecord[]
  readonly trajectories: readonly RecordedTrajectory[]
}

/** @throws ExperimentError naming the file where the folder holds no results, or something else by their names. */
export async function readRun(folder: string): Promise<Run> {
  const manifest = readManifest(manifestFile(folder))
  const results = readResults(folder)
  if (results.length === 0) throw unreadable(folder, 'it holds no finished picture')
  const kept = trajectoriesFolder(folder)
  const names = existsSync(kept) ? (await readdir(kept)).filter((name) => name.endsWith('.json')).sort() : []
  const trajectories = await Promise.all(names.map((name) => readTrajectory(join(kept, name))))
  return { manifest, results, trajectories }
}

async function readTrajectory(file: string): Promise<RecordedTrajectory> {
  try {
    return trajectorySchema.parse(JSON.parse(await readFile(file, 'utf8')), { reportInput: true })
  } catch (error) {
    throw unreadable(file, reasonOf(error), error)
  }
}

const unreadable = (where: string, reason: string, cause?: unknown): ExperimentError =>
  new ExperimentError(
    'bad-output',
    `Cannot read ${where}: ${reason}.`,
    'Give the folder that `sjd2 compare` or `sjd2 experiment run` named as its results.',
    { cause },
  )
