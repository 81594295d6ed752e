import { PROTOCOL } from '../../src/bridge/messages.js'
import type { Manifest, ManifestRun } from '../../src/experiment/manifest.js'
import type { ImageRecord } from '../../src/experiment/record.js'

/** A record of an image of 4 tokens in 2 passes, but for what is given. */
export const recordOf = (values: Partial<ImageRecord>): ImageRecord => ({
  run: 1,
  spec: 'sjd2',
  policy: 'sjd2',
  exact: true,
  parameters: {},
  guidance: 3,
  temperature: 1,
  topK: 0,
  topP: 1,
  prompt: 'red',
  seed: 0,
  index: 0,
  file: null,
  tokens: [1, 2, 3, 4],
  passes: 2,
  compression: 2,
  accepted: [1, 3],
  facts: null,
  right: null,
  metrics: {},
  wall: 1,
  seconds: 1,
  prefillSeconds: 0.25,
  forwardSeconds: 0.5,
  bridgeSeconds: 0.125,
  policySeconds: 0.0625,
  entries: 6,
  prefillPasses: 1,
  workerBytes: 100,
  orchestratorBytes: 200,
  ...values,
})

/** Of a comparison of one policy on one prompt. */
export const run: ManifestRun = {
  id: 1,
  environment: {
    sjd2: '0.1.0',
    git: null,
    node: 'v20',
    python: 'Python 3.11',
    platform: 'linux x64',
    worker: '0.1.0',
    torch: '2.13',
    protocol: PROTOCOL,
    device: 'cpu',
    dtype: 'f32',
    model: { family: 'scenes', name: 'tiny', hash: 'cd', files: { 'config.json': 'ef' } },
  },
  checkpoint: { model: null, adapter: null, size: null },
  imagesAtOnce: 8,
  sampling: { temperature: 1, topK: 0, topP: 1 },
  metrics: [],
  rows: [
    {
      id: 'sjd2-g3',
      spec: 'sjd2',
      policy: 'sjd2',
      exact: true,
      overrides: { window: 6, init: 'left', keepNoisyKeys: true },
      guidance: 3,
      source: { kind: 'built-in', name: 'sjd2', version: '0.1.0' },
    },
  ],
  images: [{ prompt: 'red', seed: 0, index: 0 }],
  leftOut: [],
}

export const manifest: Manifest = { format: 2, command: 'compare', runs: [run] }
