/** The passes of an image, kept as `trajectories/<row>-<index>.json` in a run's folder: what the report's viewer replays. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { PassRecord } from '../decoding/index.js'
import type { ModelCard } from '../engine/index.js'
import type { FinishedImage, ImageRequest } from './images.js'
import { writeWhole } from './output.js'
import { slug } from './picture.js'

export const trajectoriesFolder = (folder: string): string => join(folder, 'trajectories')

/** A request whose passes are kept, and where they gather. */
export interface RecordedRequest extends ImageRequest {
  readonly passes: PassRecord[]
}

/** Has an image's decoding recorded. */
export function recorded(request: ImageRequest): RecordedRequest {
  const passes: PassRecord[] = []
  return { ...request, passes, onPass: (pass) => passes.push(pass) }
}

export const isRecorded = (request: ImageRequest): request is RecordedRequest => 'passes' in request

/** @param spec the policy as it was asked for. */
export async function writeTrajectory(
  folder: string,
  spec: string,
  { passes, guidance, prompt, seed, index }: RecordedRequest,
  { tokens }: FinishedImage,
  grid: ModelCard['grid'],
): Promise<void> {
  const file = join(trajectoriesFolder(folder), `${slug(spec)}-g${guidance}-${index}.json`)
  const plain = passes.map((pass) => ({ ...pass, drafts: [...pass.drafts], levels: [...pass.levels] }))
  const record = { spec, guidance, prompt, seed, index, grid, tokens: [...tokens], passes: plain }
  await mkdir(trajectoriesFolder(folder), { recursive: true })
  await writeWhole(file, JSON.stringify(record))
}
