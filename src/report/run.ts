/** What a finished run left in its folder. */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { ExperimentError } from '../experiment/error.js'
import {
  type RecordedTrajectory,
  trajectoriesFolder,
  trajectorySchema,
} from '../experiment/trajectory-record.js'

const resultSchema = z.object({
  spec: z.string(),
  policy: z.string(),
  exact: z.boolean(),
  parameters: z.object({ window: z.number().optional() }).default({}),
  guidance: z.number(),
  temperature: z.number().default(1),
  topK: z.number().default(0),
  topP: z.number().default(1),
  prompt: z.string(),
  seed: z.number(),
  index: z.number(),
  passes: z.number(),
  compression: z.number(),
  wall: z.number(),
  facts: z.number().nullable().default(null),
  right: z.boolean().nullable().default(null),
  /** For each pass, how many codes it committed. */
  accepted: z.array(z.number()).optional(),
  forwardSeconds: z.number().optional(),
  bridgeSeconds: z.number().optional(),
  policySeconds: z.number().optional(),
})

/** One image's line of results.jsonl. What older runs did not keep is absent. */
export type Result = z.infer<typeof resultSchema>

/** Of the manifest, what a reader wants to know and what makes the pictures again. */
const manifestSchema = z.object({
  /** How the model was named; null: the default. */
  checkpoint: z
    .object({
      model: z.string().nullable().default(null),
      adapter: z.string().nullable().default(null),
      size: z.string().nullable().default(null),
    })
    .default({ model: null, adapter: null, size: null }),
  environment: z.object({
    sjd2: z.string(),
    git: z.object({ commit: z.string(), changed: z.boolean() }).nullable(),
    torch: z.string(),
    device: z.string(),
    dtype: z.string(),
    model: z.object({ name: z.string(), hash: z.string() }),
  }),
})

export type RunManifest = z.infer<typeof manifestSchema>

export interface Run {
  readonly manifest: RunManifest
  readonly results: readonly Result[]
  readonly trajectories: readonly RecordedTrajectory[]
}

/** @throws ExperimentError `bad-output` where the folder holds no results, or something else by their name. */
export async function readRun(folder: string): Promise<Run> {
  const results = await readResults(folder)
  const manifest = await readJson(join(folder, 'manifest.json'), manifestSchema)
  const kept = trajectoriesFolder(folder)
  const names = existsSync(kept) ? (await readdir(kept)).filter((name) => name.endsWith('.json')).sort() : []
  const trajectories = await Promise.all(names.map((name) => readJson(join(kept, name), trajectorySchema)))
  return { manifest, results, trajectories }
}

async function readResults(folder: string): Promise<Result[]> {
  const file = join(folder, 'results.jsonl')
  const text = await readText(file)
  // what stands behind the last line's end was cut off by a kill
  const lines = text.split('\n').slice(0, -1)
  if (lines.length === 0) throw unreadable(file, 'it holds no finished picture')
  return lines.map((line, i) => parsed(line, resultSchema, `${file}, line ${i + 1}`))
}

const readJson = async <T>(file: string, schema: z.ZodType<T>): Promise<T> =>
  parsed(await readText(file), schema, file)

function parsed<T>(text: string, schema: z.ZodType<T>, where: string): T {
  try {
    return schema.parse(JSON.parse(text))
  } catch (error) {
    const reason =
      error instanceof z.ZodError ? z.prettifyError(error).replaceAll('\n', ' ') : (error as Error).message
    throw unreadable(where, reason, error)
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw unreadable(file, code === 'ENOENT' ? 'it does not exist' : message, error)
  }
}

const unreadable = (where: string, reason: string, cause?: unknown): ExperimentError =>
  new ExperimentError(
    'bad-output',
    `Cannot read ${where}: ${reason}.`,
    'Give the folder that `sjd2 compare` named as its results.',
    { cause },
  )
