/** What a picture's file says of how it was made. */
import { readFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { decode } from 'fast-png'
import { z } from 'zod'
import { flagName } from '../common/model-options.js'
import { environmentSchema } from './environment.js'
import { ExperimentError } from './error.js'
import { checkpointSchema } from './loading.js'
import { PARAMETERS_KEYWORD } from './picture.js'
import { otherTexts } from './png-texts.js'
import { besides, formatSpec, splitSpec } from './policy.js'
import { settingsSchema } from './record.js'

/** Of what a picture says: the same number makes the same picture of it. */
export const PARAMETERS_FORMAT = 2

const parametersSchema = settingsSchema.extend({
  format: z.literal(PARAMETERS_FORMAT),
  /** The policy's file, from the folder that sjd2 ran in; null for a built-in one. */
  policyFile: z.string().nullable(),
  /** SHA-256 over it and the files that it imports. */
  policyHash: z.string().nullable(),
  checkpoint: checkpointSchema,
  environment: environmentSchema,
})

export type Parameters = z.infer<typeof parametersSchema>

/** @throws ExperimentError `bad-picture` where the file is no picture that sjd2 made. */
export function readParameters(file: string): Parameters {
  try {
    const json = textsOf(readFileSync(file))[PARAMETERS_KEYWORD]
    if (json === undefined) throw new Error('it holds no parameters of sjd2')
    return parametersSchema.parse(JSON.parse(json))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const wrong =
      error instanceof z.ZodError
        ? `its parameters are of another version of sjd2, which makes other pictures of them (${error.issues.map(({ path }) => path.join('.')).join(', ')})`
        : message
    throw new ExperimentError(
      'bad-picture',
      `${file} cannot be inspected: ${code === 'ENOENT' ? 'it does not exist' : wrong}.`,
      'Give a PNG file as sjd2 wrote it: programs that edit pictures drop what it says of itself.',
      { cause: error },
    )
  }
}

/** A PNG's texts, by keyword. @throws Error in plain words, whatever the decoder stumbled over. */
function textsOf(bytes: Uint8Array): Readonly<Record<string, string>> {
  try {
    return { ...decode(bytes).text, ...otherTexts(bytes) }
  } catch (cause) {
    throw new Error('it is no PNG file, or not a whole one', { cause })
  }
}

/** The arguments of `sjd2` that make the picture again, with what its file says, on the same kind of machine. */
export function commandOf(of: Parameters): string[] {
  const options: Record<string, string | number | boolean | null | undefined> = {
    ...policyOptions(of),
    seed: of.seed,
    index: of.index,
    guidance: of.guidance,
    temperature: of.temperature,
    topK: of.topK,
    topP: of.topP,
    ...of.checkpoint,
    device: of.environment.device === 'cpu' ? 'cpu' : 'cuda',
    dtype: of.environment.dtype,
  }
  const given = Object.entries(options).filter(([, value]) => value !== null && value !== undefined)
  // with `=`, a negative number is no option
  const words = given.map(([key, value]) =>
    value === true ? `--${flagName(key)}` : `--${flagName(key)}=${value}`,
  )
  return ['generate', ...words, '--', of.prompt]
}

/** The policy as it was asked for; a file that was named from elsewhere than where sjd2 ran, from there. */
function policyOptions({
  spec,
  policyFile,
  parameters,
}: Parameters): Record<string, string | number | boolean | undefined> {
  const { name } = splitSpec(spec)
  const isAsked = policyFile === null || policyFile === (isAbsolute(name) ? name : join('.', name))
  if (!isAsked) return { policy: formatSpec(policyFile, parameters) }
  return { policy: spec, ...besides(spec, parameters) }
}

/** A command line for a POSIX shell. */
export const quoted = (args: readonly string[]): string =>
  args.map((arg) => (/^[\w./:=,@%+-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`)).join(' ')
