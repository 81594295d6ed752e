/** What a study file may say. */
import { z } from 'zod'
import { DEVICES, DTYPES } from '../../common/model-options.js'
import { loadingShape } from '../loading.js'

/** One value, or several to sweep over. */
const sweep = <T extends z.ZodType>(value: T) => z.union([value, z.array(value).min(1)]).optional()

const text = z.string().trim().min(1)

/** Which keys a policy's parameters are is known once the policy is found. */
const policy = z.union([
  text,
  z.object({ policy: text }).catchall(sweep(z.union([z.number(), text, z.boolean()]))),
])

const one = (values: object) => Object.values(values).filter((value) => value !== undefined).length === 1

const metric = z.union([
  text,
  z
    .strictObject({ name: text, file: text.optional(), command: z.array(z.string()).min(1).optional() })
    .refine(({ name: _, ...ways }) => one(ways), 'give it either a file or a command.'),
])

export const studySchema = z.strictObject({
  /** The checkpoint's folder; default: the one that comes with sjd2. Paths count from the study's folder. */
  model: text.optional(),
  /** A Python file, for a family of one's own. */
  adapter: text.optional(),
  /** How the model is loaded. */
  ...loadingShape,
  device: z.enum(DEVICES).default('auto'),
  dtype: z.enum(DTYPES).default('auto'),
  imagesAtOnce: z.int().positive().default(8),
  /** A list, a file (as `readPrompts` takes it), or so many captions drawn in the scenes' grammar. */
  prompts: z.union([
    z.array(text).min(1),
    z
      .strictObject({ file: text.optional(), scenes: z.int().positive().optional() })
      .refine(one, 'give either a file or a number of scenes.'),
  ]),
  /** Whether prompts that the model cannot be given are left out, instead of ending the study. */
  skipBadPrompts: z.boolean().default(false),
  /** `name`, `name:key=value,…` or `file.ts`; or a map with `policy`, in which lists are swept over. */
  policies: z.array(policy).min(1),
  seeds: sweep(z.int().nonnegative()),
  guidance: sweep(z.number()),
  sampling: z
    .strictObject({
      temperature: z.number().nonnegative().optional(),
      topK: z.int().nonnegative().optional(),
      topP: z.number().positive().max(1).optional(),
    })
    .default({}),
  /** `scenes` (the judge), a TypeScript file, or a command with a name. */
  metrics: z.array(metric).default(['scenes']),
  pictures: z.boolean().default(false),
  /** Of how many images all passes are kept. */
  trajectories: z.int().nonnegative().default(0),
})

export type StudyText = z.infer<typeof studySchema>
export type PolicyText = StudyText['policies'][number]
export type MetricText = StudyText['metrics'][number]

/** The keys that the file may have where one was not recognised, for a hint. */
export const knownKeys: Readonly<Record<string, readonly string[]>> = {
  '': Object.keys(studySchema.shape),
  prompts: ['file', 'scenes'],
  sampling: ['temperature', 'topK', 'topP'],
  metrics: ['name', 'file', 'command'],
}
