/**
 * What decides all images of a folder: manifest.json, written before the first of them; results.jsonl says what came. A
 * comparison or a study is one run; each `generate` with other settings adds one.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { environmentSchema } from './environment.js'
import { ExperimentError, reasonOf } from './error.js'
import { checkpointSchema } from './loading.js'
import { writeWhole } from './output.js'
import { overridesSchema } from './policy.js'
import { fieldsSchema } from './prompts.js'
import { sourceSchema } from './source.js'
import { leftOutSchema } from './words.js'

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
  /** The image's number among those of its prompt under its seed. */
  index: z.int().nonnegative(),
  /** What else the prompts' file says of its prompt. */
  fields: fieldsSchema.optional(),
})

const runSchema = z.strictObject({
  /** Counts the folder's runs from 1; the run's lines of results.jsonl name it. */
  id: z.int().positive(),
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

const manifestSchema = z.strictObject({
  format: z.literal(2),
  command: z.enum(['generate', 'compare', 'experiment']),
  runs: z.array(runSchema).min(1),
})

export type ManifestRun = z.infer<typeof runSchema>
export type ManifestRow = z.infer<typeof rowSchema>
export type ManifestImage = z.infer<typeof imageSchema>
export type Manifest = z.infer<typeof manifestSchema>

export const manifestFile = (folder: string): string => join(folder, 'manifest.json')

/** Writes `manifest.json`, whole or not at all. */
export const writeManifest = (folder: string, manifest: Manifest): Promise<void> =>
  writeWhole(manifestFile(folder), `${JSON.stringify(manifest, null, 2)}\n`)

/** @throws ExperimentError `bad-manifest` naming the key that is wrong, or the older sjd2 that wrote it. */
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
    const json: unknown = JSON.parse(readFileSync(file, 'utf8'))
    refuseFirstFormat(file, json)
    return manifestSchema.parse(json, { reportInput: true })
  } catch (error) {
    if (error instanceof ExperimentError) throw error
    throw refuse(error instanceof SyntaxError ? 'it is no JSON' : reasonOf(error), error)
  }
}

const firstFormat = z.object({
  format: z.literal(1),
  environment: z.object({ sjd2: z.string(), git: z.object({ commit: z.string() }).nullable() }),
})

/** Its images cannot be made again: they drew the random numbers of their places in the list, not of their prompts. */
function refuseFirstFormat(file: string, json: unknown): void {
  const { data } = firstFormat.safeParse(json)
  if (data === undefined) return
  const { sjd2, git } = data.environment
  throw new ExperimentError(
    'bad-manifest',
    `${file} is of format 1, by an older sjd2 (${sjd2}${git ? `, commit ${git.commit}` : ''}), under which a ` +
      'picture’s random numbers followed from its place in the list. Now they follow from its prompt, so this sjd2 ' +
      'would make other pictures.',
    `Use the sjd2 that wrote it${git ? ` (git checkout ${git.commit})` : ''}, or make the pictures anew in another folder.`,
  )
}
