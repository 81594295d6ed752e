/** Whether a recorded run can be run again here, and what is different. */
import type { Model } from '../../decoding/index.js'
import type { HelloReply } from '../../engine/index.js'
import { hashCheckpoint } from '../checkpoint.js'
import type { Environment } from '../environment.js'
import { ExperimentError } from '../error.js'
import type { ImageRecord } from '../record.js'

/** What is not as it was, by what a user calls it; a difference alone need not change any token. */
export interface Change {
  readonly what: string
  readonly recorded: string
  readonly now: string
}

export function changes(recorded: Environment, now: Environment): Change[] {
  const facts = ({
    git,
    sjd2,
    node,
    python,
    platform,
    worker,
    torch,
    protocol,
    device,
    dtype,
    adapter,
    model,
  }: Environment) => ({
    checkpoint: `${model.name} (${model.hash.slice(0, 10)})`,
    sjd2,
    commit: git ? `${git.commit.slice(0, 10)}${git.changed ? ' with changes' : ''}` : 'unknown',
    node,
    python,
    platform,
    worker,
    torch,
    protocol: String(protocol),
    device,
    dtype,
    adapter: adapter?.slice(0, 10) ?? 'none',
  })
  const before = Object.entries(facts(recorded))
  const after: Record<string, string> = facts(now)
  return before.flatMap(([what, value]) =>
    after[what] === value ? [] : [{ what, recorded: value, now: after[what] }],
  )
}

/** @throws ExperimentError `wrong-checkpoint` where the worker has loaded another one than was recorded. */
export async function checkCheckpoint(
  { model }: Environment,
  hello: HelloReply,
  checkpoint: string,
): Promise<void> {
  if (hello.model.hash === model.hash) return
  const files = await hashCheckpoint(checkpoint)
  const names = [...new Set([...Object.keys(files), ...Object.keys(model.files)])].sort()
  const different = names.filter((name) => files[name] !== model.files[name])
  throw new ExperimentError(
    'wrong-checkpoint',
    `${checkpoint} is not the checkpoint of the run (${model.name}, ${model.hash.slice(0, 10)}): ` +
      `${different.join(', ') || 'what the worker reads of it'} differs, so its images must.`,
    'Name the run’s checkpoint with --model, or say --any-checkpoint to see what this one makes.',
  )
}

/** @throws ExperimentError `wrong-checkpoint` where recorded tokens are none that the model could draw. */
export function checkTokens({ layout, image }: Model, records: readonly Pick<ImageRecord, 'tokens'>[]): void {
  const isDrawn = (id: number) => id >= image.first && id < image.first + image.count
  const could = ({ tokens }: Pick<ImageRecord, 'tokens'>) =>
    tokens.length === layout.length &&
    tokens.every((id, position) => (layout[position] < 0 ? isDrawn(id) : id === layout[position]))
  if (records.every(could)) return
  throw new ExperimentError(
    'wrong-checkpoint',
    'This checkpoint draws pictures of other tokens than the run’s: nothing can be compared.',
    'Name the run’s checkpoint with --model, or another of its family and size.',
  )
}
