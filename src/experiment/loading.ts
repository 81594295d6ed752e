/** How a model was loaded: as a study says it, as a manifest keeps it, and what of it decides pictures. */
import { z } from 'zod'
import {
  decidingNames,
  fixedNames,
  type LoadingName,
  type LoadingOptions,
  loadingNames,
  loadingOf,
  loadingOptions,
} from '../common/model-options.js'

function schemaOf(type: (typeof loadingOptions)[LoadingName]['type']): z.ZodType {
  if (type === 'count') return z.int().positive()
  if (type === 'size') return z.union([z.int().positive().transform(String), z.string().trim().min(1)])
  return z.enum(type)
}

type Shape = { [Name in LoadingName]: z.ZodOptional<z.ZodType<NonNullable<LoadingOptions[Name]>>> }

const shape = (names: readonly LoadingName[]): Shape =>
  Object.fromEntries(names.map((name) => [name, schemaOf(loadingOptions[name].type).optional()])) as Shape

/** Keys of a study. */
export const loadingShape = shape(loadingNames)

/** How the model was named: its folder or hub id, the adapter's file; null: the default. And how it was loaded. */
export const checkpointSchema = z.strictObject({
  ...(shape(fixedNames) as Omit<Shape, 'promptCells'>),
  model: z.string().nullable(),
  adapter: z.string().nullable(),
  size: z.string().nullable(),
})

export type RecordedCheckpoint = z.infer<typeof checkpointSchema>

/** What a run keeps of how its model was named and loaded. */
export function checkpointOf(
  options: LoadingOptions & { readonly model?: string; readonly adapter?: string },
): RecordedCheckpoint {
  const { model = null, adapter = null, size = null } = options
  return { model, adapter, size, ...loadingOf(options, fixedNames) }
}

/** Those parts of it that decide pictures, besides the checkpoint's files. */
export const decidingOf = (checkpoint: RecordedCheckpoint): Record<string, unknown> =>
  Object.fromEntries(decidingNames.map((name) => [name, checkpoint[name as keyof RecordedCheckpoint]]))
