import { csvFormat } from 'd3-dsv'
import type { Estimate } from '../common/statistics.js'
import type { Row } from '../experiment/index.js'

/** How a policy is marked wherever it is named. */
export const mark = ({ exact }: { exact: boolean }): string => (exact ? 'exact' : 'relaxed')

/** What stands below every table of a comparison, line by line. */
export const NOTES: readonly string[] = [
  'passes: forwards of the model for a picture, but for those that only read the prompt; mean over the pictures.',
  'compression: image tokens / passes; sequential decoding, a token a pass, has 1. [ ]: 95 % interval, bootstrap over prompts.',
  'seconds: wall time of a picture, with those decoded together sharing it. time gain: autoregressive’s seconds over these.',
  'time gain says more than there is on small models, where a plain PyTorch loop is quicker than autoregressive here (bench/against.ts).',
  'facts, right: the judge’s share of the captions’ facts that the pictures show, and of pictures that show all.',
  'exact: the pictures follow sequential decoding’s distribution. relaxed: they do not.',
]

/** A comparison as cells, the head first. */
export function table(rows: readonly Row[]): string[][] {
  return [
    [
      'policy',
      'output',
      'guidance',
      'pictures',
      'passes',
      'compression',
      'seconds',
      'time gain',
      'facts',
      'right',
    ],
    ...rows.map((row) => [
      row.spec,
      mark(row),
      String(row.guidance),
      String(row.pictures),
      row.passes.toFixed(1),
      interval(row.compression, 1, 2, '×'),
      row.seconds.toFixed(2),
      row.timeGain === null ? '–' : `${row.timeGain.toFixed(2)}×`,
      interval(row.facts, 100, 1, ' %'),
      interval(row.right, 100, 1, ' %'),
    ]),
  ]
}

/** The same rows as comma-separated values: numbers in full, each interval in two columns of its own. */
export function csv(rows: readonly Row[]): string {
  const bounds = (name: string, estimate: Estimate | null) => ({
    [name]: estimate?.mean,
    [`${name}_low`]: estimate?.low,
    [`${name}_high`]: estimate?.high,
  })
  return csvFormat(
    rows.map(({ spec, policy, guidance, pictures, passes, seconds, timeGain, ...row }) => ({
      spec,
      policy,
      output: mark(row),
      guidance,
      pictures,
      passes,
      ...bounds('compression', row.compression),
      seconds,
      time_gain: timeGain,
      ...bounds('facts', row.facts),
      ...bounds('right', row.right),
    })),
  )
}

function interval(estimate: Estimate | null, scale: number, digits: number, unit: string): string {
  if (estimate === null) return '–'
  const [mean, low, high] = [estimate.mean, estimate.low, estimate.high].map((v) =>
    (scale * v).toFixed(digits),
  )
  return `${mean}${unit} [${low}–${high}]`
}
