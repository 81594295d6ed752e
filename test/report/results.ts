import type { Result } from '../../src/report/run.js'

/** A line of results.jsonl with what every one has. */
export const result = (changes: Partial<Result> = {}): Result => ({
  spec: 'sjd',
  policy: 'sjd',
  exact: true,
  parameters: {},
  guidance: 3,
  temperature: 1,
  topK: 0,
  topP: 1,
  prompt: 'a red circle',
  seed: 0,
  index: 0,
  passes: 2,
  compression: 4,
  wall: 1,
  facts: null,
  right: null,
  ...changes,
})

/** What a manifest says of where a run was made. */
export const environment = {
  sjd2: '0.1.0',
  git: null,
  torch: '2.13.0',
  device: 'cpu',
  dtype: 'f32',
  model: { name: 'tiny', hash: 'abc' },
}
