/** Trajectories on disk: all passes of one image, for a viewer. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { PassRecord } from '../decoding/index.js'
import type { ModelCard } from '../engine/index.js'
import type { ImageRequest } from './images.js'
import { writeWhole } from './output.js'
import { slug } from './picture.js'

/** What a file of `trajectories/` holds. */
export interface RecordedTrajectory {
  readonly spec: string
  readonly guidance: number
  readonly prompt: string
  readonly seed: number
  readonly index: number
  readonly grid: ModelCard['grid']
  /** [length] the final ids. */
  readonly tokens: readonly number[]
  /** As `PassRecord`, with plain lists. */
  readonly passes: readonly RecordedPass[]
}

export type RecordedPass = Omit<PassRecord, 'drafts' | 'levels'> & {
  readonly drafts: readonly number[]
  readonly levels: readonly number[]
}

/** A request whose passes are kept, and where they gather. */
export interface RecordedRequest extends ImageRequest {
  readonly passes: readonly RecordedPass[]
}

export const trajectoriesFolder = (folder: string): string => join(folder, 'trajectories')

/** Has an image's decoding recorded. */
export function recorded(request: ImageRequest): RecordedRequest {
  const passes: RecordedPass[] = []
  const onPass = ({ drafts, levels, ...record }: PassRecord) =>
    void passes.push({ ...record, drafts: [...drafts], levels: [...levels] })
  return { ...request, onPass, passes }
}

export const isRecorded = (request: ImageRequest): request is RecordedRequest => 'passes' in request

/** Writes `trajectories/<policy>-g<guidance>-s<seed>-<index>.json`. */
export async function writeTrajectory(
  folder: string,
  { spec, guidance, prompt, seed, index, passes }: RecordedRequest,
  finalTokens: Int32Array,
  grid: ModelCard['grid'],
): Promise<void> {
  const file = join(trajectoriesFolder(folder), `${slug(spec)}-g${guidance}-s${seed}-${index}.json`)
  const tokens = [...finalTokens]
  const whole: RecordedTrajectory = { spec, guidance, prompt, seed, index, grid, tokens, passes }
  await mkdir(trajectoriesFolder(folder), { recursive: true })
  await writeWhole(file, `${JSON.stringify(whole)}\n`)
}
