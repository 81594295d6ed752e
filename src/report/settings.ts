/** Results as rows of the report's table and as what its plots draw. */
import { mean } from '../experiment/statistics.js'
import { type Row, summarize } from '../experiment/summary.js'
import type { RecordedTrajectory } from '../experiment/trajectory-record.js'
import type { Grid, PartTime, PlotRow, Setting, TimePart } from './page.js'
import { commitDistribution, committedByCell, committedByPosition, passesByPrompt } from './passes.js'
import type { Result } from './run.js'

/** Parts of the image that passes are sorted into where its rows are not known. */
const BINS = 24

/** A setting's rows, for the table and for the plots. */
export interface SettingRows {
  readonly setting: Setting
  readonly table: readonly Row[]
}

/**
 * Groups results by all that is set besides the policy, in the order in which they came.
 * @param random uniform on [0, 1), for the bootstrap over prompts.
 */
export function settingsOf(
  results: readonly Result[],
  trajectories: readonly RecordedTrajectory[],
  random: () => number,
): SettingRows[] {
  const groups = groupBy(results, settingLabel)
  const tables = [...groups.values()].map((group) => summarize(keysOf(group), group, random))
  return [...groups].map(([label, group], i) => {
    const shown = trajectories.filter(({ guidance }) => guidance === group[0].guidance)
    const grid = shown[0]?.grid ?? null
    const largest = Math.max(...group.map(({ accepted = [] }) => Math.max(...accepted)))
    const rows = tables[i].map((row) => {
      const own = group.filter(({ spec }) => spec === row.spec)
      return plotRow(row, own, { grid, largest, trajectories: shown, random })
    })
    return { setting: { label, grid, rows }, table: tables[i] }
  })
}

/** What is set besides the policy, in words; what is at its neutral value is left out. */
export function settingLabel({ guidance, temperature, topK, topP }: Result): string {
  return [
    `guidance ${guidance}`,
    temperature === 1 ? [] : `temperature ${temperature}`,
    topK === 0 ? [] : `top-k ${topK}`,
    topP === 1 ? [] : `top-p ${topP}`,
  ]
    .flat()
    .join(', ')
}

/** The policies of one setting. */
const keysOf = (results: readonly Result[]) =>
  [...groupBy(results, ({ spec }) => spec).values()].map(([{ spec, policy, exact, guidance }]) => ({
    choice: { spec },
    policy: { name: policy, exact },
    guidance,
  }))

interface Surroundings {
  readonly grid: Grid | null
  /** The most that any pass of the setting committed. */
  readonly largest: number
  readonly trajectories: readonly RecordedTrajectory[]
  readonly random: () => number
}

function plotRow(
  { spec, exact, compression, facts, right }: Row,
  results: readonly Result[],
  { grid, largest, trajectories, random }: Surroundings,
): PlotRow {
  const passes = passesByPrompt(results)
  return {
    spec,
    exact,
    family: spec.replace(/([:,])window=\d+,?/, '$1').replace(/[:,]$/, ''),
    window:
      results[0].parameters.window ?? widest(trajectories.filter((trajectory) => trajectory.spec === spec)),
    compression,
    facts,
    right,
    time: timeSplit(results),
    byPosition: passes && committedByPosition(passes, grid?.rows ?? BINS, random),
    distribution: passes && commitDistribution(passes, largest, random),
    byCell: passes && grid && committedByCell(passes),
  }
}

/** The widest window that was fed; null where no pass was recorded. */
function widest(trajectories: readonly RecordedTrajectory[]): number | null {
  const widths = trajectories.map(({ passes }) => Math.max(...passes.map(({ drafts }) => drafts.length)))
  return widths.length > 0 ? Math.max(...widths) : null
}

/** Where the time went; null where no part of it was kept. */
function timeSplit(results: readonly Result[]): PartTime[] | null {
  const measured = [
    ...part('forward', results, ({ forwardSeconds }) => forwardSeconds),
    ...part('bridge', results, ({ bridgeSeconds }) => bridgeSeconds),
    ...part('policy', results, ({ policySeconds }) => policySeconds),
  ]
  if (measured.length === 0) return null
  const whole = mean(results.map(({ wall }) => wall))
  const rest = measured.reduce((left, { seconds }) => left - seconds, whole)
  return [...measured, { name: 'the rest', seconds: Math.max(0, rest) }]
}

/** The mean; nothing where a result did not keep it. */
function part(
  name: TimePart,
  results: readonly Result[],
  secondsOf: (result: Result) => number | undefined,
): PartTime[] {
  const kept = results.map(secondsOf).filter((seconds) => seconds !== undefined)
  return kept.length === results.length ? [{ name, seconds: mean(kept) }] : []
}

function groupBy<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const value of values) {
    const group = groups.get(keyOf(value))
    if (group) group.push(value)
    else groups.set(keyOf(value), [value])
  }
  return groups
}
