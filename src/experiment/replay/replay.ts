/** Makes a run of a manifest again, and compares the tokens. */
import type { Session, TokenizedPrompt } from '../../engine/index.js'
import { openPolicyFile } from '../../user-modules/index.js'
import { decodeImages, type FinishedImage, type ImageRequest, type RunState } from '../images.js'
import type { ManifestRow, ManifestRun } from '../manifest.js'
import { choosePolicy, formatSpec, ofFile, type PolicyChoice } from '../policy.js'
import type { ImageRecord } from '../record.js'
import { type ImageKey, keyOf } from '../results.js'
import { withFiles } from '../source.js'
import { type Parting, watched } from './parting.js'

/** An image made again, against its record. */
export interface Replayed extends ImageKey {
  readonly identical: boolean
  /** How many tokens differ, of how many. */
  readonly different: number
  readonly length: number
  /** Where the tokens parted; null where they are identical. */
  readonly parting:
    | (Parting & { readonly row: number; readonly column: number; readonly recordedPass: number })
    | null
  /** The first pass that committed another number of codes than was recorded; null where none did. */
  readonly passesPart: number | null
}

export interface ReplayHooks {
  readonly signal: AbortSignal
  readonly onStep: (row: ManifestRow, state: RunState) => void
  readonly onImage: (image: Replayed) => void
}

/**
 * The policies of a run's rows, from the manifest's own copies of users' files.
 * @throws PolicyError, ExperimentError where this version has no such policy or its file no longer compiles.
 */
export function restorePolicies({ rows }: Pick<ManifestRun, 'rows'>): Promise<PolicyChoice[]> {
  const opened = new Map<string, ReturnType<typeof openPolicyFile>>()
  return Promise.all(
    rows.map(async ({ spec, overrides, source }) => {
      if (source.kind === 'command') throw new Error('A policy is no command.')
      if (source.kind === 'built-in')
        return { ...(await choosePolicy(formatSpec(source.name, overrides))), spec }
      const key = `${source.hash} ${source.entry}` // files that import each other may each be a policy
      const policy = opened.get(key) ?? withFiles(source, openPolicyFile)
      opened.set(key, policy)
      return ofFile(spec, await policy, overrides)
    }),
  )
}

/**
 * Makes the recorded images again, row by row, together as they were.
 * @param choices of the run's rows, from `restorePolicies`.
 * @param tokenized the prompts.
 * @returns one entry for each record of the run, in the order of the manifest.
 * @throws what `decodeImages` throws.
 */
export async function replayRun(
  session: Session,
  { id: run, rows, images, sampling }: ManifestRun,
  choices: readonly PolicyChoice[],
  records: readonly ImageRecord[],
  tokenized: ReadonlyMap<string, TokenizedPrompt>,
  { signal, onStep, onImage }: ReplayHooks,
): Promise<Replayed[]> {
  const byKey = new Map(records.map((record) => [keyOf(record), record]))
  const all: Replayed[] = []
  for (const [i, row] of rows.entries()) {
    const { spec, guidance } = row
    const policy = choices[i].create(session.model)
    await session.fit(policy)
    const partings = new Map<ImageRequest, Parting>()
    const requests = images.flatMap(({ prompt, seed, index }) => {
      const record = byKey.get(keyOf({ run, spec, guidance, prompt, seed, index }))
      if (record === undefined) return []
      const request: ImageRequest = {
        spec,
        guidance,
        prompt,
        seed,
        index,
        sampling,
        parameters: choices[i].overrides,
        tokenized: tokenized.get(prompt)!,
        policy: watched(policy, record.tokens, (parting) => partings.set(request, parting)),
      }
      return [request]
    })
    const replayed = new Map<ImageRequest, Replayed>()
    await decodeImages(session, requests, {
      signal,
      onStep: (state) => onStep(row, state),
      onFailed: (_, error) => {
        throw error
      },
      onImage(image) {
        const record = byKey.get(keyOf({ run, ...image.request }))!
        const result = compared(session, image, record, partings.get(image.request))
        replayed.set(image.request, result)
        onImage(result)
      },
    })
    all.push(...requests.map((request) => replayed.get(request)!))
  }
  return all
}

function compared(
  { card: { layout, grid } }: Session,
  { request, tokens, accepted }: FinishedImage,
  record: ImageRecord,
  parting: Parting | undefined,
): Replayed {
  const { spec, guidance, prompt, seed, index } = request
  const different = tokens.filter((id, position) => id !== record.tokens[position]).length
  const cell = (position: number) => layout.slice(0, position).filter((id) => id < 0).length
  const passes = Math.max(accepted.length, record.accepted.length)
  const passesPart = Array.from({ length: passes }, (_, i) => i).find(
    (i) => accepted[i] !== record.accepted[i],
  )
  return {
    run: record.run,
    spec,
    guidance,
    prompt,
    seed,
    index,
    identical: different === 0 && tokens.length === record.tokens.length,
    different,
    length: tokens.length,
    parting: parting
      ? {
          ...parting,
          row: Math.floor(cell(parting.position) / grid.columns),
          column: cell(parting.position) % grid.columns,
          recordedPass: passOf(cell(parting.position), record.accepted),
        }
      : null,
    passesPart: passesPart ?? null,
  }
}

/** The pass that committed a cell of the grid. */
function passOf(cell: number, accepted: readonly number[]): number {
  let pass = 0
  for (let committed = accepted[0]; committed <= cell; committed += accepted[pass]) pass += 1
  return pass
}
