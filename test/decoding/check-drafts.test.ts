import { describe, expect, test } from 'vitest'
import {
  above,
  type DecodingPolicy,
  type Draft,
  exactPrefix,
  gaussian,
  type ImageState,
  maximal,
  type Pass,
  PolicyError,
  random,
  type Verdict,
  verifyPrefix,
} from '../../src/index.js'
import { start } from '../support/fake-pass.js'
import { toy } from '../support/toy-model.js'

// two rows of three codes and a new line
const page = toy({ layout: [-1, -1, -1, 9, -1, -1, -1, 9], rowLength: 4, codes: 4 })

const sound: DecodingPolicy = {
  name: 'mine',
  exact: true,
  noisy: false,
  schedule: (image) => image.upcoming(4).map((position) => random.start(position, image, [])),
  verify: (pass) => verifyPrefix(pass, maximal, exactPrefix),
  refine: () => [],
}

function decode(changes: Partial<DecodingPolicy>): void {
  const { image, worker } = start(page, { policy: { ...sound, ...changes } })
  worker.decode(image)
}

/** A schedule as `sound`'s, with some of its drafts changed. */
const scheduling =
  (change: (drafts: Draft[], image: ImageState) => readonly Draft[]): DecodingPolicy['schedule'] =>
  (image) =>
    change(sound.schedule(image), image) as Draft[]

const changed = (i: number, change: object) =>
  scheduling((drafts) => drafts.with(i, { ...drafts[i], ...change }))

test('a sound schedule passes', () => {
  expect(() => decode({})).not.toThrow()
})

describe('what a policy schedules wrongly is refused in its first pass, not drawn', () => {
  test.each<[string, DecodingPolicy['schedule'], RegExp]>([
    ['nothing at all', () => undefined as unknown as Draft[], /scheduled undefined/],
    ['the last first', scheduling((drafts) => drafts.toReversed()), /draft 0, .* 0 is left out/],
    [
      'two that changed places',
      scheduling(([a, b, ...rest]) => [{ ...a, parent: -1 }, { ...b, position: 0 }, ...rest]),
      /draft 1, at position 0: it follows draft 0/,
    ],
    ['a gap', scheduling((drafts) => drafts.toSpliced(1, 1)), /draft 1, at position 2: .* 1 is left out/],
    ['a forced position', changed(3, { position: 3 }), /draft 3, at position 3: no draft may stand there/],
    [
      'the last position',
      scheduling(([draft]) => [{ ...draft, position: 6 }]),
      /at position 6: no draft may/,
    ],
    ['no position', changed(1, { position: Number.NaN }), /at position NaN: no draft may/],
    ['a position between two', changed(1, { position: 1.5 }), /at position 1.5: no draft may/],
    ['a parent behind it', changed(1, { parent: 2 }), /draft 1, .* parent is 2/],
    ['a code that is none', changed(2, { code: Number.NaN }), /draft 2, .* code is NaN/],
    ['a code beyond the last', changed(2, { code: 4 }), /draft 2, .* code is 4/],
    ['no code where nothing is noisy', changed(2, { code: -1, proposal: null }), /code is -1/],
    ['a code of nowhere', changed(0, { proposal: null }), /no proposal/],
    [
      'a proposal of other codes',
      changed(0, { proposal: { kind: 'dense', probabilities: new Float32Array(3) } }),
      /3 probabilities/,
    ],
    [
      'noise that the policy denies',
      scheduling(([draft], image) => [gaussian(1).start(draft.position, image, [])]),
      /noisy, and the policy says/,
    ],
  ])('%s', (_, schedule, message) => {
    expect(() => decode({ schedule })).toThrow(PolicyError)
    expect(() => decode({ schedule })).toThrow(message)
  })

  test('a latent of another width', () => {
    const latent = { latent: new Float32Array(1), level: 1, timestep: 1 }
    const schedule = changed(0, { noise: latent })
    expect(() => decode({ noisy: true, schedule })).toThrow(/latent has 1 numbers/)
  })

  test('a draft whose position was committed', () => {
    const schedule = (image: ImageState) => [above.start(0, image, [])]
    expect(() => decode({ schedule })).toThrow(/at position 0: that is committed already/)
  })
})

test('a relaxed policy may leave gaps', () => {
  const schedule = scheduling((drafts) => drafts.filter((_, i) => i !== 1))
  const verify = (pass: Pass): Verdict => ({
    codes: [maximal.draw(pass.behind(-1), pass).code],
    held: [],
  })
  expect(() => decode({ exact: false, schedule, verify })).not.toThrow()
})

test('a draft that is held though another code was committed is refused', () => {
  const verify = (): Verdict => ({ codes: [1], held: [0] })
  const schedule = changed(0, { code: 2 })
  expect(() => decode({ schedule, verify })).toThrow(/held draft 0, code 2 at position 0/)
})
