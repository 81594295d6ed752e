import { expect, test } from 'vitest'
import type { Answer } from '../../src/bridge/index.js'
import { type Forward, Pipeline } from '../../src/engine/pipeline.js'

/** A forward that was asked for at this second. */
const asked = (second: number) => ({ asked: second }) as Forward

/** Of a worker that computed up to this second, or does not say when. */
const answer = (ended?: number) =>
  ({ head: { clock: ended === undefined ? undefined : { ended } } }) as Answer<'forward'>

test('a forward that waited for another took only what it took itself', () => {
  const pipeline = new Pipeline()
  expect(pipeline.secondsOf(asked(0), answer(4), 4.25)).toBe(4.25)
  // it waited until 4
  expect(pipeline.secondsOf(asked(0.5), answer(5), 5.25)).toBe(1.25)
  // when it was asked for, the worker had nothing to do
  expect(pipeline.secondsOf(asked(9), answer(10), 10.5)).toBe(1.5)
})

test('where the worker does not say when it ended, a forward waited for the answer before its own', () => {
  const pipeline = new Pipeline()
  pipeline.secondsOf(asked(0), answer(), 4.25)
  expect(pipeline.secondsOf(asked(0.5), answer(), 5.25)).toBe(1)
})
