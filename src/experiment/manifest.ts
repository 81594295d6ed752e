/** What decides all images of a run: manifest.json, written before the first of them; results.jsonl says what came. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { environmentSchema } from './environment.js'
import { ExperimentError, reasonOf } from './error.js'
import { writeWhole } from './output.js'
import { overridesSchema } from './policy.js'
import { fieldsSchema } from './prompts.js'
import { sourceSchema } from './source.js'
import { leftOutSchema } from './words.js'

/** How the model was named: its folder or hub id, the adapter's file, the pictures' size; null: the default. And how it
 * was loaded, if otherwise than usual. */
export const checkpointSchema = z.strictObject({
  model: z.string().nullable(),
  adapter: z.string().nullable(),
  size: z.string().nullable(),
  quantize: z.enum(['int8', 'nf4']).optional(),
  gpus: z.int().optional(),
})

const rowSchema = z.strictObject({
  /** Names the row's files. */
  id: z.string(),
  spec: z.string(),
  /** What the policy calls itself. */
  policy: z.string(),
  exact: z.boolean(),
  overrides: overridesSchema,
  guidance: z.number(),
  source: sourceSchema,
})

const imageSchema = z.strictObject({
  prompt: z.string(),
  seed: z.int(),
  /** The image's number under its seed. */
  index: z.int().nonnegative(),
  /** What else the prompts' file says of its prompt. */
  fields: fieldsSchema.optional(),
})

const manifestSchema = z.strictObject({
  format: z.literal(1),
  command: z.enum(['generate', 'compare', 'experiment']),
  environment: environmentSchema,
  checkpoint: checkpointSchema,
  imagesAtOnce: z.int().positive(),
  sampling: z.strictObject({ temperature: z.number(), topK: z.int(), topP: z.number() }),
  metrics: z.array(z.strictObject({ name: z.string(), source: sourceSchema })),
  /** A policy at a guidance scale; each row's results are the lines with its `spec` and `guidance`. */
  rows: z.array(rowSchema),
  /** What is made of each row; the lines of results.jsonl hold their files and tokens. */
  images: z.array(imageSchema),
  /** Prompts that the model could not be given, where the user had these left out. */
  leftOut: z.array(leftOutSchema).default([]),
})

export type ManifestRow = z.infer<typeof rowSchema>
export type ManifestImage = z.infer<typeof imageSchema>
export type Manifest = z.infer<typeof manifestSchema>

export const manifestFile = (folder: string): string => join(folder, 'manifest.json')

/** Writes `manifest.json`, whole or not at all. */
export const writeManifest = (folder: string, manifest: Manifest): Promise<void> =>
  writeWhole(manifestFile(folder), `${JSON.stringify(manifest, null, 2)}\n`)

/** @throws ExperimentError `bad-manifest` naming the key that is wrong. */
export function readManifest(file: string): Manifest {
  const refuse = (reason: string, cause?: unknown) =>
    new ExperimentError(
      'bad-manifest',
      `${file} is no manifest of a run: ${reason}.`,
      'Give the folder of a run of generate, compare or experiment, or its manifest.json as that wrote it.',
      { cause },
    )
  if (!existsSync(file)) throw refuse('it does not exist')
  try {
    return manifestSchema.parse(JSON.parse(readFileSync(file, 'utf8')), { reportInput: true })
  } catch (error) {
    throw refuse(error instanceof SyntaxError ? 'it is no JSON' : reasonOf(error), error)
  }
}
