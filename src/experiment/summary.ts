/** A comparison's table: one row for each policy and guidance scale. */

import { bootstrapMean, byPrompt, type Estimate, mean } from '../common/statistics.js'
import type { ImageRecord } from './record.js'
import { type RowKey, recordsOf } from './rows.js'

export interface Row {
  readonly spec: string
  readonly policy: string
  readonly exact: boolean
  readonly guidance: number
  readonly pictures: number
  /** Mean over the pictures. */
  readonly passes: number
  readonly compression: Estimate
  /** Wall time of a picture: that of the whole row, shared out, decoding and judging the pictures included. */
  readonly seconds: number
  /** Sequential decoding's seconds at the same guidance, over these; null where it was not measured. */
  readonly timeGain: number | null
  /** The judge's share of facts shown, and of pictures that show all; null where there was nothing to judge. */
  readonly facts: Estimate | null
  readonly right: Estimate | null
}

/** What a row is made of. */
type Measured = Pick<
  ImageRecord,
  'spec' | 'guidance' | 'prompt' | 'passes' | 'compression' | 'wall' | 'facts' | 'right'
>

/**
 * @param random uniform on [0, 1), for the bootstrap over prompts.
 */
export function summarize(
  contenders: readonly RowKey[],
  records: readonly Measured[],
  random: () => number,
): Row[] {
  const seconds = (contender: RowKey) => mean(recordsOf(contender, records).map(({ wall }) => wall))
  return contenders.map((contender) => {
    const { choice, policy, guidance } = contender
    const own = recordsOf(contender, records)
    const sequential = contenders.find(
      (other) => other.policy.name === 'autoregressive' && other.guidance === guidance,
    )
    const judged = own.flatMap(({ prompt, facts, right }) =>
      facts === null ? [] : [{ prompt, facts, right: Number(right) }],
    )
    const estimate = (values: readonly (readonly number[])[]) =>
      values.length > 0 ? bootstrapMean(values, random) : null
    return {
      spec: choice.spec,
      policy: policy.name,
      exact: policy.exact,
      guidance,
      pictures: own.length,
      passes: mean(own.map(({ passes }) => passes)),
      compression: bootstrapMean(
        byPrompt(own, ({ compression }) => compression),
        random,
      ),
      seconds: seconds(contender),
      timeGain: sequential ? seconds(sequential) / seconds(contender) : null,
      facts: estimate(byPrompt(judged, ({ facts }) => facts)),
      right: estimate(byPrompt(judged, ({ right }) => right)),
    }
  })
}
