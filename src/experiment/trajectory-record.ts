/** Trajectories on disk: all passes of one image, for a viewer. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { PassRecord } from '../decoding/index.js'
import type { ModelCard } from '../engine/index.js'
import type { ImageRequest } from './images.js'
import { writeWhole } from './output.js'
import { specSlug } from './picture.js'

const passSchema = z.object({
  pass: z.number(),
  committedBefore: z.number(),
  committed: z.number(),
  accepted: z.number(),
  entries: z.number(),
  windowStart: z.number(),
  drafts: z.array(z.number()),
  levels: z.array(z.number()),
} satisfies Record<keyof PassRecord, z.ZodType>)

/** What a file of `trajectories/` holds. */
export const trajectorySchema = z.object({
  spec: z.string(),
  guidance: z.number(),
  prompt: z.string(),
  seed: z.number(),
  index: z.number(),
  grid: z.object({ rows: z.number(), columns: z.number() }),
  /** [length] final ids over the whole layout. */
  tokens: z.array(z.number()),
  /** As `PassRecord`, with plain lists. */
  passes: z.array(passSchema),
})

/** One image's passes, as `trajectories/` keeps them. */
export type RecordedTrajectory = z.infer<typeof trajectorySchema>

/** A request whose passes are kept, and where they gather. */
export interface RecordedRequest extends ImageRequest {
  readonly passes: RecordedTrajectory['passes']
}

export const trajectoriesFolder = (folder: string): string => join(folder, 'trajectories')

/** Has an image's decoding recorded. */
export function recorded(request: ImageRequest): RecordedRequest {
  const passes: RecordedTrajectory['passes'] = []
  const onPass = ({ drafts, levels, ...record }: PassRecord) =>
    void passes.push({ ...record, drafts: [...drafts], levels: [...levels] })
  return { ...request, onPass, passes }
}

export const isRecorded = (request: ImageRequest): request is RecordedRequest => 'passes' in request

/**
 * Writes `trajectories/<policy>-g<guidance>-s<seed>-<index>-<hash>.json`.
 * @param hash of all that decides the image (see `shortHash`).
 */
export async function writeTrajectory(
  folder: string,
  hash: string,
  { spec, guidance, prompt, seed, index, passes }: RecordedRequest,
  finalTokens: Int32Array,
  grid: ModelCard['grid'],
): Promise<void> {
  const name = `${specSlug(spec)}-g${guidance}-s${seed}-${index}-${hash}.json`
  const file = join(trajectoriesFolder(folder), name)
  const tokens = [...finalTokens]
  const whole: RecordedTrajectory = { spec, guidance, prompt, seed, index, grid, tokens, passes }
  await mkdir(trajectoriesFolder(folder), { recursive: true })
  await writeWhole(file, `${JSON.stringify(whole)}\n`)
}
