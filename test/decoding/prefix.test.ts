import { expect, test } from 'vitest'
import { type Draft, type Draw, exactPrefix, relaxedPrefix, verifyPrefix } from '../../src/index.js'
import { draftOf, passOf } from '../support/fake-pass.js'

/** Accepts even codes, and corrects odd ones to 0. */
const even: Draw = {
  name: 'even',
  follows: 'neither',
  trusting: false,
  draw: ({ code }) => ({ code: code >= 0 && code % 2 === 0 ? code : 0, proposal: { kind: 'one-hot' } }),
}
const noise = { latent: new Float32Array(1), level: 1, timestep: 1 }
const clean = (code: number): Draft => draftOf({ code })
const noisy = (code: number): Draft => draftOf({ code, noise })
const blank: Draft = draftOf({ noise })

const verify = (drafts: Draft[], rule = exactPrefix) =>
  verifyPrefix({ ...passOf(Float32Array.of(1), {}), drafts }, even, rule)

test('the prefix goes on while drafts are what was drawn, then takes the correction', () => {
  expect(verify([clean(2), clean(4), clean(5), clean(6)])).toEqual({ codes: [2, 4, 0], held: [0, 1] })
})

test('when all are accepted, a bonus comes behind them', () => {
  expect(verify([clean(2), clean(4)])).toEqual({ codes: [2, 4, 0], held: [0, 1] })
  expect(verify([])).toEqual({ codes: [0], held: [] })
})

test('exact: a noisy entry has its draft verified, but ends the prefix and holds no cell', () => {
  expect(verify([clean(2), noisy(4), clean(6)])).toEqual({ codes: [2, 4], held: [0] })
  expect(verify([noisy(5), clean(6)])).toEqual({ codes: [0], held: [] })
})

test('a position without a draft draws and ends the prefix, under any rule', () => {
  for (const rule of [exactPrefix, relaxedPrefix(false), relaxedPrefix(true)]) {
    expect(verify([clean(2), blank, clean(6)], rule)).toEqual({ codes: [2, 0], held: [0] })
  }
})

test('relaxed: noisy entries are accepted in a run, and fed again from the first of them on', () => {
  expect(verify([clean(2), noisy(4), clean(6), clean(7)], relaxedPrefix(false))).toEqual({
    codes: [2, 4, 6, 0],
    held: [0],
  })
})

test('relaxed, keeping noisy keys: all accepted entries hold their cells', () => {
  expect(verify([clean(2), noisy(4), clean(6), clean(7)], relaxedPrefix(true))).toEqual({
    codes: [2, 4, 6, 0],
    held: [0, 1, 2],
  })
})
