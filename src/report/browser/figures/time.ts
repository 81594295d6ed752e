import * as Plot from '@observablehq/plot'
import { type PlotRow, timeParts } from '../../page.js'
import { base, below, type Figure } from './figure.js'

/** A picture's seconds, by where they went. */
export const time: Figure = {
  id: 'time',
  title: 'Where the time goes',
  caption:
    'What a picture took, those decoded together sharing it. forward: the model’s computing; bridge: waiting for it besides, in the queue and on the way to and from its process; policy: the decoding method’s own decisions; the rest: all that was not measured apart, such as turning tokens into pixels and judging. While some pictures wait, others are decided: a bar may be longer than the seconds of wall time in the table. There are no intervals, since pictures that are decoded together have no time of their own.',
  draw({ rows }, width) {
    const bars = rows.flatMap(({ spec, time }) => time.map((part) => ({ spec, ...part })))
    return Plot.plot({
      ...base(width),
      marginLeft: 24 + 6.6 * Math.max(...rows.map((row) => label(row).length)),
      marginRight: 20,
      marginBottom: 44,
      height: 64 + 28 * rows.length,
      x: { grid: true, ticks: 8, label: 'seconds for a picture', ...below },
      y: {
        domain: rows.map(({ spec }) => spec),
        label: null,
        tickSize: 0,
        tickFormat: (spec: string) => label(rows.find((row) => row.spec === spec)!),
      },
      color: {
        domain: [...timeParts],
        range: timeParts.map((name) => `var(--time-${name.replace('the ', '')})`),
        legend: true,
      },
      marks: [
        Plot.barX(bars, { x: 'seconds', y: 'spec', fill: 'name', order: [...timeParts], tip: true }),
        Plot.ruleX([0]),
      ],
    })
  },
}

const label = ({ spec, exact }: PlotRow): string => (exact ? spec : `${spec} (relaxed)`)
