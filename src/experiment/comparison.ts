/** Policies measured on the same prompts; every image's record is kept as soon as it is there. */
import { existsSync, readFileSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { DecodingPolicy } from '../decoding/index.js'
import type { Picture, Session, TokenizedPrompt } from '../engine/index.js'
import type { Sampling } from '../numerics/index.js'
import { ExperimentError } from './error.js'
import { decodeImages, type FinishedImage, type ImageRequest, type RunState } from './images.js'
import { CaptionError, judgePicture } from './judge/index.js'
import { appendLine } from './output.js'
import type { PolicyChoice } from './policy.js'
import { resultOf, settingsOf } from './record.js'
import { isRecorded, recorded, writeTrajectory } from './trajectory-record.js'

/** One row of the comparison: a policy at a guidance scale. */
export interface Contender extends RowKey {
  readonly choice: PolicyChoice
  readonly policy: DecodingPolicy
}

/** What tells a row from the others; results that were read from a folder know no more of their policy. */
export interface RowKey {
  readonly choice: Pick<PolicyChoice, 'spec'>
  readonly policy: Pick<DecodingPolicy, 'name' | 'exact'>
  readonly guidance: number
}

const recordSchema = z.object({
  spec: z.string(),
  guidance: z.number(),
  prompt: z.string(),
  passes: z.number(),
  compression: z.number(),
  /** Wall time that passed since the image before this one was finished (or since the row began). */
  wall: z.number(),
  /** The judge's: the share of the caption's facts that the picture shows, and whether it shows all; null: no judge. */
  facts: z.number().nullable(),
  right: z.boolean().nullable(),
})

/** What is kept of one image; the file holds its other settings too. */
export type ComparisonRecord = z.infer<typeof recordSchema>

export interface Comparison {
  readonly folder: string
  readonly contenders: readonly Contender[]
  readonly prompts: readonly string[]
  readonly tokenized: readonly TokenizedPrompt[]
  readonly sampling: Sampling
  readonly seed: number
  /** Of how many prompts, the first ones, the trajectories are kept. */
  readonly trajectories: number
}

export interface ComparisonHooks {
  readonly signal: AbortSignal
  readonly onStep: (contender: Contender, state: RunState, secondsLeft: number | null) => void
  readonly onImage?: (contender: Contender, image: FinishedImage) => Promise<void>
}

const recordsFile = (folder: string): string => join(folder, 'results.jsonl')

/**
 * Runs what `folder` does not hold results of yet, and gives the records of all.
 * @throws what `decodeImages` throws; ExperimentError where the results that are there cannot be read.
 */
export async function runComparison(
  session: Session,
  comparison: Comparison,
  { signal, onStep, onImage }: ComparisonHooks,
): Promise<ComparisonRecord[]> {
  const { folder, contenders, prompts } = comparison
  const records = readRecords(folder).filter(({ prompt }) => prompts.includes(prompt))
  const plans = contenders.map((contender) => ({
    contender,
    requests: missing(comparison, contender, records).map((request) =>
      request.index < comparison.trajectories ? recorded(request) : request,
    ),
  }))
  for (const [row, { contender, requests }] of plans.entries()) {
    const ahead = plans.slice(row + 1).reduce((sum, plan) => sum + plan.requests.length, 0)
    let before = performance.now()
    await decodeImages(session, requests, {
      signal,
      onStep: (state) => onStep(contender, state, secondsLeft(state, ahead)),
      async onImage(image) {
        const now = performance.now()
        const record = {
          spec: contender.choice.spec,
          ...settingsOf(image.request),
          ...resultOf(image),
          accepted: image.accepted,
          forwardSeconds: image.statistics.forwardSeconds,
          wall: (now - before) / 1000,
          ...judge(image.picture, image.request.prompt),
        }
        before = now
        if (isRecorded(image.request)) {
          await writeTrajectory(folder, contender.choice.spec, image.request, image, session.card.grid)
        }
        await appendLine(recordsFile(folder), JSON.stringify({ ...record, tokens: undefined }))
        records.push(record)
        await onImage?.(contender, image)
      },
    })
  }
  return records
}

/** The records of one row, over the comparison's prompts. */
export function recordsOf(
  { choice, guidance }: RowKey,
  records: readonly ComparisonRecord[],
): readonly ComparisonRecord[] {
  return records.filter((record) => record.spec === choice.spec && record.guidance === guidance)
}

function missing(
  { prompts, tokenized, sampling, seed }: Comparison,
  contender: Contender,
  records: readonly ComparisonRecord[],
): ImageRequest[] {
  const { choice, policy, guidance } = contender
  const done = new Set(recordsOf(contender, records).map(({ prompt }) => prompt))
  return prompts.flatMap((prompt, index) =>
    done.has(prompt)
      ? []
      : [
          {
            prompt,
            tokenized: tokenized[index],
            policy,
            parameters: choice.overrides,
            sampling,
            guidance,
            seed,
            index,
          },
        ],
  )
}

/** Of this row, and of so many images ahead at this row's pace; null while that is hardly known. */
function secondsLeft({ tokens, length, images, seconds }: RunState, ahead: number): number | null {
  const done = (tokens / length) * images
  return done < 0.1 ? null : (seconds / done) * (images - done + ahead)
}

function judge({ rgb, width, height }: Picture, prompt: string): Pick<ComparisonRecord, 'facts' | 'right'> {
  try {
    const { score, correct } = judgePicture(rgb, width, height, prompt)
    return { facts: score, right: correct }
  } catch (error) {
    // a caption outside the scenes' grammar, or no picture of a scene
    if (error instanceof CaptionError || error instanceof RangeError) return { facts: null, right: null }
    throw error
  }
}

/** The records that are in a folder. A last line that was cut off by a kill is taken out of the file. */
function readRecords(folder: string): ComparisonRecord[] {
  const file = recordsFile(folder)
  if (!existsSync(file)) return []
  const bytes = readFileSync(file)
  const whole = bytes.subarray(0, bytes.lastIndexOf('\n') + 1)
  if (whole.length < bytes.length) truncateSync(file, whole.length)
  const lines = whole.toString('utf8').split('\n').slice(0, -1)
  return lines.map((line, i) => {
    try {
      return recordSchema.parse(JSON.parse(line))
    } catch (error) {
      throw new ExperimentError(
        'bad-output',
        `${file}, line ${i + 1}, is no result of a comparison.`,
        'Choose another folder with --out, or remove that line.',
        { cause: error },
      )
    }
  })
}
