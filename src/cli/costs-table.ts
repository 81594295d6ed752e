import type { Costs } from '../experiment/index.js'

/** What stands below the table of costs. */
export const COSTS_NOTES = [
  'tokens a pass: mean, and least / median / ninth decile / most over all passes. prefill: forwards that only read the',
  'prompt. Seconds of a picture: in the model’s forward, in the bridge (the wire, and the worker’s other work), in the',
  'policy; shares of what was decoded together. MiB: most memory so far, worker’s (its GPU’s, if any) + orchestrator’s.',
].join('\n')

/** The costs of rows as cells, the head first; metrics of one's own have a column each. */
export function costsTable(costs: readonly Costs[]): string[][] {
  const names = [...new Set(costs.flatMap(({ metrics }) => Object.keys(metrics)))]
  return [
    [
      'policy',
      'guidance',
      'tokens a pass',
      'range',
      'prefill',
      'forward s',
      'bridge s',
      'policy s',
      'MiB',
      ...names,
    ],
    ...costs.map(({ spec, guidance, tokensPerPass, prefillPasses, seconds, bytes, metrics }) => [
      spec,
      String(guidance),
      tokensPerPass.mean.toFixed(2),
      [tokensPerPass.least, tokensPerPass.median, tokensPerPass.high, tokensPerPass.most].join(' / '),
      `${prefillPasses.toFixed(1)} (${seconds.prefill.toFixed(2)} s)`,
      seconds.forward.toFixed(2),
      seconds.bridge.toFixed(2),
      seconds.policy.toFixed(2),
      `${mebibytes(bytes.worker)} + ${mebibytes(bytes.orchestrator)}`,
      ...names.map((name) => {
        const estimate = metrics[name]
        if (estimate === undefined) return '–'
        const [mean, low, high] = [estimate.mean, estimate.low, estimate.high].map((v) => v.toPrecision(4))
        return `${mean} [${low}–${high}]`
      }),
    ]),
  ]
}

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)
