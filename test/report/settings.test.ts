import { expect, test } from 'vitest'
import type { RecordedTrajectory } from '../../src/experiment/trajectory-record.js'
import { settingsOf } from '../../src/report/settings.js'
import { manifest, run } from '../experiment/records.js'
import { result } from './results.js'

const random = () => 0.5

const trajectory = (spec: string, guidance: number, drafts: number): RecordedTrajectory => ({
  spec,
  guidance,
  prompt: 'a red circle',
  seed: 0,
  index: 0,
  grid: { rows: 2, columns: 4 },
  tokens: new Array(8).fill(1),
  passes: [
    {
      pass: 0,
      committedBefore: 0,
      committed: 8,
      accepted: 7,
      entries: 8,
      windowStart: 0,
      drafts: new Array(drafts).fill(1),
      levels: new Array(drafts).fill(0),
    },
  ],
})

test('results that differ in more than the policy stand apart', () => {
  const results = [
    result(),
    result({ spec: 'jacobi', policy: 'jacobi' }),
    result({ topK: 100 }),
    result({ guidance: 1, temperature: 0.5, topP: 0.9 }),
  ]
  const settings = settingsOf({ manifest, results, trajectories: [] }, random)
  expect(settings.map(({ setting, table }) => [setting.label, table.map(({ spec }) => spec)])).toEqual([
    ['guidance 3', ['sjd', 'jacobi']],
    ['guidance 3, top-k 100', ['sjd']],
    ['guidance 1, temperature 0.5, top-p 0.9', ['sjd']],
  ])
})

test('runs of a folder are told apart by what they do not share, and a policy that was edited by its run', () => {
  const adapted = { ...run, id: 2, environment: { ...run.environment, dtype: 'bf16' } }
  const runs = [run, adapted, { ...run, id: 3 }]
  const results = [result(), result({ run: 2 }), result({ run: 3 }), result({ spec: 'jacobi' })]
  const settings = settingsOf({ manifest: { ...manifest, runs }, results, trajectories: [] }, random)
  expect(settings.map(({ setting, table }) => [setting.label, table.map(({ spec }) => spec)])).toEqual([
    ['guidance 3, dtype f32', ['sjd (run 1)', 'sjd (run 3)', 'jacobi']],
    ['guidance 3, dtype bf16', ['sjd']],
  ])
})

test('a family is a policy but for its window, which comes from the spec or from what was fed', () => {
  const results = [
    result({ spec: 'sjd:window=32', parameters: { window: 32 } }),
    result({ spec: 'sjd:window=32,init=above', parameters: { window: 32 } }),
    result({ spec: 'sjd:init=above,window=8', parameters: { window: 8 } }),
    result({ spec: 'sjd2' }),
    result({ spec: 'sjd' }),
  ]
  const [{ setting }] = settingsOf(
    { manifest, results, trajectories: [trajectory('sjd2', 3, 6), trajectory('sjd', 1, 5)] },
    random,
  )
  expect(setting.rows.map(({ family, window }) => [family, window])).toEqual([
    ['sjd', 32],
    ['sjd:init=above', 32],
    ['sjd:init=above', 8],
    ['sjd2', 6],
    ['sjd', null],
  ])
})

test('so many passes that no call could take them as its arguments', () => {
  const accepted = new Array(576).fill(1)
  const results = Array.from({ length: 250 }, (_, index) => result({ index, accepted }))
  const long = trajectory('sjd', 3, 6)
  const many = Array.from({ length: 250 }, () => ({ ...long, passes: new Array(576).fill(long.passes[0]) }))
  const [{ setting }] = settingsOf({ manifest, results, trajectories: many }, random)
  expect(setting.rows[0].window).toBe(6)
  expect(setting.rows[0].distribution).toMatchObject([{ label: '1', share: { mean: 1 } }])
})

test('time, judgement and the grid are what the results and the trajectories say', () => {
  const times = { forwardSeconds: 0.5, bridgeSeconds: 0.25, policySeconds: 0.125, wall: 1 }
  const whole = result({ accepted: [4, 4], ...times, right: true, facts: 1 })
  const settingOf = (...trajectories: RecordedTrajectory[]) =>
    settingsOf(
      { manifest, results: [whole, result({ ...whole, index: 1, policySeconds: 0.375 })], trajectories },
      random,
    )[0].setting
  const [row] = settingOf(trajectory('sjd', 3, 6)).rows
  expect(row.byPosition).toHaveLength(2)
  expect(row.byCell).toEqual([4, 4, 4, 4, 4, 4, 4, 4])
  expect(row.right?.mean).toBe(1)
  expect(row.time).toEqual([
    { name: 'forward', seconds: 0.5 },
    { name: 'bridge', seconds: 0.25 },
    { name: 'policy', seconds: 0.25 },
    { name: 'the rest', seconds: 0 },
  ])
  expect(
    settingsOf({ manifest, results: [result()], trajectories: [] }, random)[0].setting.rows[0],
  ).toMatchObject({ right: null, facts: null })
  expect(settingOf()).toMatchObject({ grid: null, rows: [{ byCell: null }] })
})
