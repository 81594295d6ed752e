/** What a run makes: its rows, the images of each, and where they are kept. */
import type { DecodingPolicy } from '../decoding/index.js'
import type { TokenizedPrompt } from '../engine/index.js'
import type { Sampling } from '../numerics/index.js'
import { ExperimentError } from './error.js'
import type { ImageRequest } from './images.js'
import type { MetricChoice } from './metrics/choice.js'
import { specSlug } from './picture.js'
import type { PolicyChoice } from './policy.js'
import type { Fields } from './prompts.js'
import type { ImageKey } from './results.js'

/** What tells a row from the others; results that were read from a folder know no more of their policy. */
export interface RowKey {
  readonly choice: Pick<PolicyChoice, 'spec'>
  readonly policy: Pick<DecodingPolicy, 'name' | 'exact'>
  readonly guidance: number
}

/** One row of a run: a policy at a guidance scale. */
export interface Contender extends RowKey {
  readonly choice: PolicyChoice
  readonly policy: DecodingPolicy
}

/** An image that is made of every row. */
export interface StudyImage {
  readonly prompt: string
  readonly tokenized: TokenizedPrompt
  readonly seed: number
  /** The image's number among those of its prompt under its seed. */
  readonly index: number
  /** What else the prompts' file says of its prompt. */
  readonly fields?: Fields | undefined
}

export interface Study {
  readonly folder: string
  /** The `id` of the run in the folder's manifest. */
  readonly run: number
  readonly contenders: readonly Contender[]
  readonly images: readonly StudyImage[]
  readonly sampling: Sampling
  /** Whether the scenes' judge looks at the pictures. */
  readonly judged: boolean
  readonly metrics: readonly MetricChoice[]
  /** Of how many images, the first ones, each row's trajectories are kept. */
  readonly trajectories: number
  /** The picture's file, in the folder; null where pictures are not kept. */
  readonly fileOf: (contender: Contender, image: ImageRequest) => string | null
  /** Of all that decides a row's images of a prompt but their seeds and indices: see `shortHash`. */
  readonly hashOf: (contender: Contender, prompt: string) => string
  /** What a picture's file says of what it was made with, besides its own settings. */
  readonly provenance: object
}

/** Names a row's files. */
export const rowId = ({ choice, guidance }: RowKey): string => `${specSlug(choice.spec)}-g${guidance}`

/** @throws ExperimentError `bad-option` where two rows' files would have one name. */
export function checkRows(contenders: readonly RowKey[]): void {
  const names = new Map<string, string>()
  for (const contender of contenders) {
    const id = rowId(contender)
    const { spec } = contender.choice
    const other = names.get(id)
    names.set(id, spec)
    if (other === undefined) continue
    throw new ExperimentError(
      'bad-option',
      other === spec
        ? `${spec} at guidance ${contender.guidance} is asked for twice.`
        : `${other} and ${spec} would both keep their files under the name ${id}.`,
      other === spec ? 'Ask for it once.' : 'Give one of the policy files another name.',
    )
  }
}

/** The records of one row. */
export const recordsOf = <T extends Pick<ImageKey, 'spec' | 'guidance'>>(
  { choice, guidance }: RowKey,
  records: readonly T[],
): readonly T[] => records.filter((record) => record.spec === choice.spec && record.guidance === guidance)
