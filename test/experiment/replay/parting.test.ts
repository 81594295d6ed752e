import { describe, expect, test } from 'vitest'
import { type Parting, watched } from '../../../src/experiment/replay/parting.js'
import { createPolicy, ImageRandom, probabilities } from '../../../src/index.js'
import { plainSampling, start } from '../../support/fake-pass.js'
import { conditionalOf, toy } from '../../support/toy-model.js'

/** Forced ids 4 stand at the ends of rows. */
const layout = [-1, -1, -1, 4, -1, -1, -1, 4, -1, -1, -1, 4]
const page = toy({ layout, rowLength: 4, codes: 5, seed: 3 })
const { first, count } = page.model.image

function decode(name: string, overrides: object, recorded?: readonly number[]) {
  const partings: Parting[] = []
  const policy = createPolicy(name, overrides, page.model)
  const { image, worker } = start(page, {
    policy: recorded ? watched(policy, recorded, (parting) => partings.push(parting)) : policy,
  })
  worker.decode(image)
  return { tokens: [...image.tokens], history: [...image.history], partings }
}

/** The record of another image, which agrees with the given one up to a position and holds `code` there. */
const changed = (tokens: readonly number[], position: number, code: number) =>
  tokens.map((id, j) => (j === position ? first + code : id))

describe('a watched policy', () => {
  test.each([
    ['autoregressive', {}],
    ['sjd2', { window: 4 }],
    ['mc-sjd', { window: 4 }],
    ['sjd-pac', {}],
  ])('decides as %s does, and says nothing where all is as recorded', (name, overrides) => {
    const own = decode(name, overrides)
    const again = decode(name, overrides, own.tokens)
    expect(again.tokens).toEqual(own.tokens)
    expect(again.history).toEqual(own.history)
    expect(again.partings).toEqual([])
  })

  test.each([
    ['autoregressive', {}, 1],
    ['sjd2', { window: 4 }, 4],
  ])('tells of the gap between the Gumbel scores: %s', async (name, overrides, most) => {
    const { tokens, history } = decode(name, overrides)
    const position = 5
    const code = tokens[position] - first
    const logits = await conditionalOf(page, 1)(tokens.slice(0, position))
    const p = new Float32Array(count)
    probabilities(logits, 0, plainSampling, p)
    const exponentials = new Float32Array(count)
    new ImageRandom(1, 0).exponentials(position, exponentials)
    const score = (v: number) => Math.log(p[v] / exponentials[v])
    // the runner-up: no third code's score lies between
    const others = [...p.keys()].filter((v) => v !== code)
    const recordedCode = others.reduce((best, v) => (score(v) > score(best) ? v : best))

    const { partings } = decode(name, overrides, changed(tokens, position, recordedCode))
    expect(partings).toHaveLength(1)
    const [parting] = partings
    expect(parting).toMatchObject({ position, code, recordedCode, probability: p[code] })
    expect(parting.recordedProbability).toBeCloseTo(p[recordedCode])
    expect(parting.margin! / (score(code) - score(recordedCode))).toBeCloseTo(1, 2)
    expect(history[parting.pass]).toBeLessThanOrEqual(most + 1)
  })

  test('tells of the first difference only, though more follow', () => {
    const { tokens } = decode('sjd2', { window: 4 })
    const other = changed(
      changed(tokens, 2, (tokens[2] - first + 1) % count),
      8,
      (tokens[8] - first + 1) % count,
    )
    const { partings } = decode('sjd2', { window: 4 }, other)
    expect(partings.map(({ position }) => position)).toEqual([2])
  })

  test('knows no margin where a code that greedy decoding never draws was recorded', () => {
    const greedy = { ...plainSampling, temperature: 0 }
    const partings: Parting[] = []
    const policy = createPolicy('autoregressive', {}, page.model)
    const own = start(page, { policy, sampling: greedy })
    own.worker.decode(own.image)
    const recorded = changed([...own.image.tokens], 0, (own.image.tokens[0] - first + 1) % count)
    const watching = watched(policy, recorded, (parting) => partings.push(parting))
    const { image, worker } = start(page, { policy: watching, sampling: greedy })
    worker.decode(image)
    expect(partings).toMatchObject([{ position: 0, probability: 1, recordedProbability: 0, margin: null }])
  })

  test('finds the change that turns an acceptance of maximal coupling', () => {
    const { tokens } = decode('mc-sjd', { window: 4 })
    const parting = [...Array(count).keys()]
      .filter((code) => code !== tokens[6] - first)
      .map((code) => decode('mc-sjd', { window: 4 }, changed(tokens, 6, code)).partings[0])
      .find(({ margin }) => margin !== null)
    expect(parting).toMatchObject({ position: 6, code: tokens[6] - first })
    expect(parting!.margin).toBeGreaterThan(0)
    expect(parting!.margin).toBeLessThan(20)
  })
})
