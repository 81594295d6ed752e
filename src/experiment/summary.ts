/** A comparison's table: one row for each policy and guidance scale. */
import type { ImageRecord } from './record.js'
import { bootstrapMean, type Estimate, mean } from './statistics.js'
import { type RowKey, recordsOf } from './study.js'

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

/**
 * @param random uniform on [0, 1), for the bootstrap over prompts.
 */
export function summarize(
  contenders: readonly RowKey[],
  records: readonly ImageRecord[],
  random: () => number,
): Row[] {
  const seconds = (contender: RowKey) => mean(recordsOf(contender, records).map(({ wall }) => wall))
  return contenders.map((contender) => {
    const { choice, policy, guidance } = contender
    const own = recordsOf(contender, records)
    const sequential = contenders.find(
      (other) => other.policy.name === 'autoregressive' && other.guidance === guidance,
    )
    const judged = own.flatMap(({ facts, right }) =>
      facts === null ? [] : [{ facts, right: Number(right) }],
    )
    const estimate = (values: readonly number[]) => (values.length > 0 ? bootstrapMean(values, random) : null)
    return {
      spec: choice.spec,
      policy: policy.name,
      exact: policy.exact,
      guidance,
      pictures: own.length,
      passes: mean(own.map(({ passes }) => passes)),
      compression: bootstrapMean(
        own.map(({ compression }) => compression),
        random,
      ),
      seconds: seconds(contender),
      timeGain: sequential ? seconds(sequential) / seconds(contender) : null,
      facts: estimate(judged.map(({ facts }) => facts)),
      right: estimate(judged.map(({ right }) => right)),
    }
  })
}
