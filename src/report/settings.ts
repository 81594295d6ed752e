/** Results as rows of the report's table and as what its plots draw. */
import { mean } from '../common/statistics.js'
import {
  deciding,
  type ImageRecord,
  type ManifestRun,
  type RecordedTrajectory,
  type Row,
  summarize,
} from '../experiment/index.js'
import type { Grid, PartTime, PlotRow, Setting } from './page.js'
import { commitDistribution, committedByCell, committedByPosition, passesByPrompt } from './passes.js'
import type { Run } from './run.js'

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
  { manifest, results, trajectories }: Pick<Run, 'manifest' | 'results' | 'trajectories'>,
  random: () => number,
): SettingRows[] {
  const besides = differences(manifest.runs.filter(({ id }) => results.some(({ run }) => run === id)))
  const label = (result: ImageRecord) => [settingLabel(result), ...besides.get(result.run)!].join(', ')
  const groups = [...groupBy(results, label)].map(([label, group]) => ({ label, group: ownSpecs(group) }))
  const tables = groups.map(({ group }) => summarize(keysOf(group), group, random))
  return groups.map(({ label, group }, i) => {
    const shown = trajectories.filter(({ guidance }) => guidance === group[0].guidance)
    const grid = shown[0]?.grid ?? null
    const largest = Math.max(...group.map(({ accepted }) => Math.max(...accepted)))
    const rows = tables[i].map((row) => {
      const own = group.filter(({ spec }) => spec === row.spec)
      return plotRow(row, own, { grid, largest, trajectories: shown, random })
    })
    return { setting: { label, grid, rows }, table: tables[i] }
  })
}

/** What decides the images and is not the same in all of the runs, in words, by the runs' ids. */
function differences(runs: readonly ManifestRun[]): Map<number, string[]> {
  // the records themselves say how they were sampled
  const all = runs.map((run) => ({ ...deciding(run), sampling: null }) as Record<string, unknown>)
  const names = Object.keys(all[0]).filter((name) => new Set(all.map((one) => one[name])).size > 1)
  const said = (value: unknown) =>
    typeof value === 'string' && value.length > 20 ? value.slice(0, 10) : value
  return new Map(
    runs.map(({ id }, i) => [id, names.map((name) => `${name} ${said(all[i][name] ?? 'as usual')}`)]),
  )
}

/** Where a policy of one name is in several runs, as when its file was edited, its specification names the run too. */
function ownSpecs(results: readonly ImageRecord[]): ImageRecord[] {
  return [...groupBy(results, ({ spec }) => spec).values()].flatMap((group) => {
    const isOne = new Set(group.map(({ run }) => run)).size === 1
    return isOne ? group : group.map((one) => ({ ...one, spec: `${one.spec} (run ${one.run})` }))
  })
}

/** What is set besides the policy, in words; what is at its neutral value is left out. */
export function settingLabel({ guidance, temperature, topK, topP }: ImageRecord): string {
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
const keysOf = (results: readonly ImageRecord[]) =>
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
  results: readonly ImageRecord[],
  { grid, largest, trajectories, random }: Surroundings,
): PlotRow {
  const passes = passesByPrompt(results)
  return {
    spec,
    exact,
    family: spec.replace(/([:,])window=\d+,?/, '$1').replace(/[:,]$/, ''),
    window:
      windowIn(results[0].parameters) ??
      widest(trajectories.filter((trajectory) => trajectory.spec === spec)),
    compression,
    facts,
    right,
    time: timeSplit(results),
    byPosition: committedByPosition(passes, grid?.rows ?? BINS, random),
    distribution: commitDistribution(passes, largest, random),
    byCell: grid && committedByCell(passes),
  }
}

/** The widest window that was fed; null where no pass was recorded. */
function widest(trajectories: readonly RecordedTrajectory[]): number | null {
  const widths = trajectories.map(({ passes }) => Math.max(...passes.map(({ drafts }) => drafts.length)))
  return widths.length > 0 ? Math.max(...widths) : null
}

const windowIn = ({ window }: ImageRecord['parameters']): number | null =>
  typeof window === 'number' ? window : null

/** Where the time went, means over the pictures. */
function timeSplit(results: readonly ImageRecord[]): PartTime[] {
  const of = (secondsOf: (result: ImageRecord) => number) => mean(results.map(secondsOf))
  const measured: PartTime[] = [
    { name: 'forward', seconds: of(({ forwardSeconds }) => forwardSeconds) },
    { name: 'bridge', seconds: of(({ bridgeSeconds }) => bridgeSeconds) },
    { name: 'policy', seconds: of(({ policySeconds }) => policySeconds) },
  ]
  const rest = measured.reduce(
    (left, { seconds }) => left - seconds,
    of(({ wall }) => wall),
  )
  return [...measured, { name: 'the rest', seconds: Math.max(0, rest) }]
}

export function groupBy<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const value of values) {
    const group = groups.get(keyOf(value))
    if (group) group.push(value)
    else groups.set(keyOf(value), [value])
  }
  return groups
}
