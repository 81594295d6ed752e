import { expect, test } from 'vitest'
import { traceOf } from '../../src/engine/index.js'

const timing = {
  images: 2,
  entries: 194,
  planned: 10,
  asked: 10.001,
  worker: { received: 10.002, began: 10.003, ended: 10.008 },
  answered: 10.01,
  decided: 10.0125,
}

test('a trace has a span for each stage of a forward, in microseconds from the first', () => {
  const later = {
    ...timing,
    planned: 10.5,
    asked: 10.501,
    worker: undefined,
    answered: 10.502,
    decided: 10.503,
  }
  const spans = traceOf([timing, later]).filter(({ ph }) => ph === 'X')
  expect(spans.map(({ name, pid, ts, dur }) => [name, pid, ts, dur])).toEqual([
    ['plan', 1, 0, 1000],
    ['read', 2, 2000, 1000],
    ['forward', 2, 3000, 5000],
    ['reply', 1, 8000, 2000],
    ['decide', 1, 10_000, 2500],
    ['plan', 1, 500_000, 1000],
    ['decide', 1, 502_000, 1000],
  ])
  expect(spans[0].args).toEqual({ forward: 0, images: 2, entries: 194 })
})

test('a trace of nothing has names only', () => {
  expect(traceOf([]).every(({ ph }) => ph === 'M')).toBe(true)
})
