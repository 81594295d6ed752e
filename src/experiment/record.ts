/** What is written down of an image: all that makes it again, what came, and what it took. */
import { z } from 'zod'
import type { JobStatistics } from '../engine/index.js'
import type { FinishedImage, ImageRequest } from './images.js'
import { overridesSchema } from './policy.js'
import { fieldsSchema } from './prompts.js'

/** With a checkpoint, these decide the image. */
export const settingsSchema = z.object({
  /** The policy as it was asked for. */
  spec: z.string(),
  policy: z.string(),
  exact: z.boolean(),
  /** What was changed of it. */
  parameters: overridesSchema,
  guidance: z.number(),
  temperature: z.number(),
  topK: z.number(),
  topP: z.number(),
  prompt: z.string(),
  seed: z.int(),
  /** The image's number among those of its prompt under its seed. */
  index: z.int().nonnegative(),
})

export type ImageSettings = z.infer<typeof settingsSchema>

const seconds = z.number().nonnegative()

const bytes = z.int().nonnegative()

export const recordSchema = settingsSchema.extend({
  /** The `id` of its run in manifest.json. */
  run: z.int().positive(),
  /** What else the prompts' file says of its prompt. */
  fields: fieldsSchema.optional(),
  /** The picture's file, in the folder; null where pictures are not kept. */
  file: z.string().nullable(),
  /** Ids over the whole layout. */
  tokens: z.array(z.int()),
  passes: z.int().nonnegative(),
  /** Image tokens for each pass; the passes that only read the prompt are not counted. */
  compression: z.number(),
  /** For each pass, how many codes it committed. */
  accepted: z.array(z.int()),
  /** The judge's: the share of the caption's facts that the picture shows, and whether it shows all; null: not judged. */
  facts: z.number().nullable(),
  right: z.boolean().nullable(),
  /** What other metrics gave, by name. */
  metrics: z.record(z.string(), z.number()),
  /** Wall time from the image before this one (or the row's begin) to this one: they add up to the row's. */
  wall: seconds,
  /** Wall time from the image's first entry to its last token; others may have been decoded with it. */
  seconds,
  /** Its share of the forwards that only read the prompt. */
  prefillSeconds: seconds,
  /** Its share of the model's time in its passes. */
  forwardSeconds: seconds,
  /** Its share of what those passes took besides: the wire, and the worker's other work. */
  bridgeSeconds: seconds,
  /** What the policy and its numerics took. */
  policySeconds: seconds,
  /** Entries of all passes, and forwards that only read the prompt: more where a worker died over the image. */
  entries: z.int().nonnegative(),
  prefillPasses: z.int().nonnegative(),
  /** Peak memory since the processes began: the worker's (its device's, where that is a GPU), and this one's. */
  workerBytes: bytes,
  orchestratorBytes: bytes,
})

/** The fields of a line that differ when the same image is made again. */
export const MEASURED = [
  'wall',
  'seconds',
  'prefillSeconds',
  'forwardSeconds',
  'bridgeSeconds',
  'policySeconds',
  'entries',
  'prefillPasses',
  'workerBytes',
  'orchestratorBytes',
] as const satisfies readonly (keyof z.infer<typeof recordSchema>)[]

/** One line of results.jsonl. */
export type ImageRecord = z.infer<typeof recordSchema>

export function settingsOf(request: ImageRequest): ImageSettings {
  const { spec, prompt, policy, parameters, guidance, sampling, seed, index } = request
  const { name, exact } = policy
  const changed = Object.fromEntries(Object.entries(parameters))
  return { spec, policy: name, exact, parameters: changed, guidance, ...sampling, prompt, seed, index }
}

/** What an image's decoding alone says of it. */
export function resultOf({
  tokens,
  statistics,
  compression,
  accepted,
}: FinishedImage): Pick<ImageRecord, 'tokens' | 'passes' | 'compression' | 'accepted'> {
  return { tokens: [...tokens], passes: statistics.passes, compression, accepted: [...accepted] }
}

/** What the image took, but for its share of the row's wall time. */
export const costOf = ({
  statistics: { passes: _, ...cost },
}: FinishedImage): Omit<JobStatistics, 'passes'> => cost
