import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ANCHOR, type Decodable } from '../../src/decoding/pass.js'
import { openSession, type Session, type TokenizedPrompt } from '../../src/engine/index.js'
import { createPolicy, type PolicyOverrides, type Sampling, Trajectory } from '../../src/index.js'
import { python, tinyCheckpoint } from '../engine/tiny.js'
import { testDistribution } from '../support/exactness.js'
import { enumerate } from '../support/toy-model.js'

// The worker's own forward code on 2x2 tokens of 3 codes: 81 images. A right policy fails for 1 seed in 100,000.
const SAMPLES = 1500
const ALARM = 1e-5
const GUIDANCE = 1.5
const sampling: Sampling = { temperature: 1, topK: 0, topP: 1 }

const checkpoint = tinyCheckpoint(2, 2, 3, 1.5)
let session: Session
let prompt: TokenizedPrompt

beforeAll(async () => {
  session = await openSession({ checkpoint: checkpoint.folder, python, images: 32 })
  prompt = (await session.tokenize(['a red circle']))[0]
})

afterAll(async () => {
  await session.close()
  checkpoint.remove()
})

/** The model's logits behind a prefix, by one plain pass over it. */
async function conditional(prefix: readonly number[]): Promise<Float32Array> {
  let logits: Float32Array = new Float32Array()
  const image: Decodable & { done: boolean } = {
    done: false,
    plan: () => ({
      base: 0,
      tokens: Int32Array.from([ANCHOR, ...prefix]),
      positions: Int32Array.from({ length: prefix.length + 1 }, (_, i) => i - 1),
      latents: new Float32Array(),
      timesteps: new Float32Array(),
      rows: Int32Array.from([prefix.length]),
    }),
    advance(rows) {
      logits = Float32Array.from(rows)
      image.done = true
    },
    holds: () => false,
    forgetCells() {},
  }
  await session.run([{ prompt, guidance: GUIDANCE, image }])
  return logits
}

async function decode(name: string, overrides: PolicyOverrides, seed: number, count: number) {
  const { model } = session
  const policy = createPolicy(name, overrides, model)
  const images = Array.from(
    { length: count },
    (_, index) => new Trajectory({ model, policy, sampling, seed, index }),
  )
  await session.run(images.map((image) => ({ prompt, guidance: GUIDANCE, image })))
  return images.map(({ tokens }) => tokens)
}

describe('with the real worker', () => {
  let truth: Promise<Map<string, number>>
  const enumerated = () => {
    // one question at a time: a session decodes one run at once
    let last: Promise<unknown> = Promise.resolve()
    truth ??= enumerate(
      session.model,
      (prefix) => {
        const next = last.then(() => conditional(prefix))
        last = next
        return next
      },
      sampling,
    )
    return truth
  }

  test.each([
    ['autoregressive', {}],
    ['sjd', { window: 3 }],
    ['sjd++', { window: 3 }],
    ['mc-sjd', { window: 3 }],
    ['sjd2', {}],
    ['sjd2', { coupling: 'maximal', levels: 2 }],
  ] as [string, PolicyOverrides][])('%s %o draws from the true distribution', async (name, overrides) => {
    const { pValue } = await testDistribution(
      (count) => decode(name, overrides, 11, count),
      await enumerated(),
      SAMPLES,
    )
    expect(pValue).toBeGreaterThan(ALARM)
  })

  test('the test catches the relaxed rule that keeps noisy keys', async () => {
    const { pValue } = await testDistribution(
      (count) => decode('sjd2-paper', { levels: 3, keepNoisyKeys: true }, 11, count),
      await enumerated(),
      SAMPLES,
    )
    expect(pValue).toBeLessThan(1e-8)
  })

  test('Gumbel coupling draws the images of sequential decoding', async () => {
    const sequential = await decode('autoregressive', {}, 5, 40)
    for (const window of [1, 2, 3]) {
      for (const init of ['random', 'above', 'gaussian'])
        expect(await decode('sjd2', { window, init, coupling: 'gumbel' }, 5, 40)).toEqual(sequential)
    }
  })
})
