/** What each row of a run took, and what metrics of one's own say of it. */

import { bootstrapMean, byPrompt, type Estimate, mean } from '../common/statistics.js'
import type { ImageRecord } from './record.js'
import { type RowKey, recordsOf } from './rows.js'

export interface Costs {
  readonly spec: string
  readonly guidance: number
  /** Forwards that only read the prompt, mean over the pictures; they are not among the passes. */
  readonly prefillPasses: number
  /** Tokens that a pass commits, over the passes of all pictures. */
  readonly tokensPerPass: Distribution
  /** Seconds of a picture, means; `forward`, `bridge` and `policy` are shares of what was decoded together. */
  readonly seconds: {
    readonly prefill: number
    readonly forward: number
    readonly bridge: number
    readonly policy: number
  }
  /** Peak bytes when the row's last picture was done. */
  readonly bytes: { readonly worker: number; readonly orchestrator: number }
  readonly metrics: Readonly<Record<string, Estimate>>
}

export interface Distribution {
  readonly mean: number
  readonly least: number
  readonly median: number
  /** The ninth decile. */
  readonly high: number
  readonly most: number
}

/** @param random uniform on [0, 1), for the bootstrap over prompts. */
export const costsOf = (
  rows: readonly RowKey[],
  all: readonly ImageRecord[],
  random: () => number,
): Costs[] =>
  rows.map((row) => {
    const records = recordsOf(row, all)
    const average = (read: (record: ImageRecord) => number) => mean(records.map(read))
    const names = [...new Set(records.flatMap(({ metrics }) => Object.keys(metrics)))]
    return {
      spec: row.choice.spec,
      guidance: row.guidance,
      prefillPasses: average(({ prefillPasses }) => prefillPasses),
      tokensPerPass: distribution(records.flatMap(({ accepted }) => accepted)),
      seconds: {
        prefill: average(({ prefillSeconds }) => prefillSeconds),
        forward: average(({ forwardSeconds }) => forwardSeconds),
        bridge: average(({ bridgeSeconds }) => bridgeSeconds),
        policy: average(({ policySeconds }) => policySeconds),
      },
      bytes: {
        worker: Math.max(...records.map(({ workerBytes }) => workerBytes)),
        orchestrator: Math.max(...records.map(({ orchestratorBytes }) => orchestratorBytes)),
      },
      metrics: Object.fromEntries(
        names.map((name) => [
          name,
          bootstrapMean(
            byPrompt(
              records.filter(({ metrics }) => name in metrics),
              ({ metrics }) => metrics[name],
            ),
            random,
          ),
        ]),
      ),
    }
  })

/** @param values at least one. */
export function distribution(values: readonly number[]): Distribution {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (quantile: number) => sorted[Math.round(quantile * (sorted.length - 1))]
  return {
    mean: mean(values),
    least: sorted[0],
    median: at(0.5),
    high: at(0.9),
    most: sorted[sorted.length - 1],
  }
}
