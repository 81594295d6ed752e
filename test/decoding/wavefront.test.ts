import { describe, expect, test } from 'vitest'
import { splitPlan } from '../../src/engine/split.js'
import {
  ANCHOR,
  createPolicy,
  gumbel,
  type PassPlan,
  type PassRecord,
  PolicyError,
  wavefront,
} from '../../src/index.js'
import { start } from '../support/fake-pass.js'
import { FakeWorker } from '../support/fake-worker.js'
import { lined, NEWLINE, plain, ragged } from '../support/rows.js'
import { type Toy, toy } from '../support/toy-model.js'

const rowOf = (free: number) => Array.from({ length: 10 }, (_, column) => (column < free ? -1 : NEWLINE))
/** Rows of 9, 2, no and 9 codes: the short one is complete long before the first. */
const uneven = toy({ layout: [9, 2, 0, 9].flatMap(rowOf), rowLength: 10, codes: 4 })
/** Nothing below the short row: the picture's last code is drawn before others. */
const short = toy({ layout: [9, 2].flatMap(rowOf), rowLength: 10, codes: 4 })

const pages: [string, Toy][] = [
  ['plain', plain(4, 6)],
  ['new lines', lined(4, 6)],
  ['ragged', ragged],
  ['uneven', uneven],
  ['a short row last', short],
  ['one row', plain(1, 5)],
  ['one column', plain(5, 1)],
]

const policyOf = (lag: number) => wavefront({ name: 'front', lag, draw: gumbel })

/** The plans of a whole image. */
function plansOf(page: Toy, lag: number, seed = 1) {
  const records: PassRecord[] = []
  const { image, worker } = start(page, {
    policy: policyOf(lag),
    seed,
    onPass: (record) => records.push(record),
  })
  const plans: PassPlan[] = []
  while (!image.done) {
    const plan = image.plan()
    plans.push(plan)
    image.advance(worker.forward(plan))
  }
  return { image, plans, records }
}

/** Of each entry of plans, the cells that it sees. */
function sights(plans: readonly PassPlan[]): number[][] {
  return plans.flatMap(({ base, tokens, mask, before = 0 }) =>
    [...tokens.keys()].map((i) => {
      const stride = Math.ceil((before + tokens.length) / 8)
      return Array.from({ length: base + tokens.length }, (_, cell) => cell).filter((cell) => {
        const bit = cell - (base - before)
        if (mask === undefined) return cell <= base + i
        return bit < 0 || (mask[i * stride + (bit >> 3)] >> (bit & 7)) & 1
      })
    }),
  )
}

describe('a pass draws one code of every row under way', () => {
  test.each([
    [1, 6, 2],
    [5, 1, 1],
    [2, 6, 1],
    [4, 6, 1],
    [4, 6, 2],
    [4, 6, 5],
    [4, 6, 6],
    [4, 6, 7],
    [6, 4, 3],
  ])('%i rows of %i, lag %i: a row starts `lag` passes after the one above', (rows, columns, lag) => {
    const step = Math.min(lag, columns)
    expect(plansOf(lined(rows, columns), lag).plans).toHaveLength(columns + (rows - 1) * step)
    // Without new lines, the second row waits for the whole first.
    const whole = rows === 1 ? columns : 2 * columns + (rows - 2) * step
    expect(plansOf(plain(rows, columns), lag).plans).toHaveLength(whole)
  })

  test.each(pages)('%s: all of the picture becomes final, in order', (_, page) => {
    for (const [lag, seed] of [1, 2, 3, 9].flatMap((n) => [1, 2, 3].map((s) => [n, s]))) {
      const { image, records } = plansOf(page, lag, seed)
      page.model.layout.forEach((id, position) => {
        if (id >= 0) expect(image.tokens[position]).toBe(id)
        else expect(image.tokens[position] - 10).toBeGreaterThanOrEqual(0)
      })
      for (const [i, { committedBefore, committed }] of records.entries()) {
        expect(committedBefore).toBe(i === 0 ? page.model.layout.indexOf(-1) : records[i - 1].committed)
        expect(committed).toBeGreaterThan(committedBefore)
      }
      expect(image.history.reduce((sum, codes) => sum + codes, 0)).toBe(
        [...page.model.layout].filter((id) => id < 0).length,
      )
    }
  })

  test.each(pages)('%s: with a lag of a row, it is sequential decoding', (_, page) => {
    for (const seed of [1, 2, 3]) {
      const { image, worker } = start(page, {
        policy: createPolicy('autoregressive', {}, page.model),
        seed,
      })
      worker.decode(image)
      expect([...plansOf(page, 9, seed).image.tokens]).toEqual([...image.tokens])
    }
  })
})

describe('keys stay as they were first made', () => {
  test.each(pages)('%s: each token is fed once, in the pass after it is known', (_, page) => {
    for (const lag of [1, 2, 3]) {
      const { plans, image, records } = plansOf(page, lag)
      let cells = 0
      const fed: number[] = []
      for (const { base, positions, tokens } of plans) {
        expect(base).toBe(cells)
        cells += tokens.length
        for (const [i, position] of positions.entries()) {
          const id = position < 0 ? ANCHOR : image.tokens[position]
          // A copy that stands for a code may be that code; the code itself then comes later.
          const later = plans.flatMap((plan) => [...plan.positions]).lastIndexOf(position)
          if (fed.length !== later) expect(page.model.layout[position]).toBe(-1)
          else expect(tokens[i]).toBe(id)
          fed.push(position)
        }
      }
      const copies = fed.length - new Set(fed).size
      expect(copies).toBeLessThan(6)
      if (page !== ragged && page.model.layout.includes(NEWLINE)) expect(copies).toBe(0)
      expect(records.map(({ entries }) => entries)).toEqual(plans.map(({ tokens }) => tokens.length))
    }
  })

  test.each(pages)('%s: an entry sees what lies in cells at lower positions, of each the last', (_, page) => {
    let some = 0
    for (const lag of [1, 2, 3]) {
      const { plans } = plansOf(page, lag)
      const places = plans.flatMap(({ positions }) => [...positions])
      for (const [i, seen] of sights(plans).entries()) {
        const last = new Map<number, number>()
        for (let j = 0; j <= i; j += 1) if (places[j] <= places[i]) last.set(places[j], j)
        expect(seen).toEqual([...last.values()].sort((a, b) => a - b))
        some += i + 1 - seen.length
      }
    }
    if (page.model.layout.length > 5) expect(some).toBeGreaterThan(0)
  })

  test('a row starts behind the new line, whose key then stays', () => {
    const { plans, image } = plansOf(lined(2, 6), 2)
    expect([...plans[2].positions]).toEqual([3, 8])
    expect([...plans[2].tokens]).toEqual([image.tokens[3], NEWLINE])
    expect([...plans[3].positions]).toEqual([4, 9])
    // It saw two codes of the row: the anchor, two starts, two codes, itself.
    const places = plans.flatMap(({ positions }) => [...positions])
    expect(sights(plans)[places.indexOf(8)]).toEqual([0, 1, 2, 3, 4, 5])
    expect(places.filter((position) => position === 8)).toHaveLength(1)
  })

  test('without new lines, behind a copy of the last code that is known of the row above the one above', () => {
    const page = plain(4, 6)
    const { plans, image } = plansOf(page, 2)
    const places = plans.map(({ positions }) => [...positions])
    const at = (position: number) => places.findIndex((own) => own.includes(position))
    // The third row starts behind the end of the second, for which the first row's last code stands; the fourth behind the
    // end of the third: the second row's fourth is known then.
    expect(places[at(11)]).toEqual([7, 11])
    expect(plans[at(11)].tokens[1]).toBe(image.tokens[5])
    expect(places[at(17)]).toEqual([9, 13, 17])
    expect(plans[at(17)].tokens[2]).toBe(image.tokens[9])
    // Each is in its place until the code itself is fed.
    expect(places.flat().filter((position) => position === 11)).toHaveLength(2)
  })

  test('a worker that loses its cells gets them as they were first made', () => {
    for (const page of pages.map(([, one]) => one)) {
      const undisturbed = plansOf(page, 1)
      for (const after of [1, 2, 3, 5]) {
        const { image } = start(page, { policy: policyOf(1) })
        let worker = new FakeWorker(page)
        while (!image.done) {
          const plan = image.plan()
          expect(image.plan()).toEqual(plan)
          // In as many forwards as it may take.
          const parts = splitPlan(plan, 4).map((part) => [...worker.forward(part)])
          image.advance(Float32Array.from(parts.flat()))
          if (image.passes % after !== 0 || image.done) continue
          image.forgetCells()
          worker = new FakeWorker(page)
        }
        expect([...image.tokens]).toEqual([...undisturbed.image.tokens])
      }
    }
  })
})

test('what is decided ahead is in the preview and in what is told of a pass', () => {
  const { image, worker } = start(lined(3, 6), { policy: policyOf(1) })
  for (let pass = 0; pass < 4; pass += 1) image.advance(worker.forward(image.plan()))
  expect([...image.ahead.keys()]).toEqual([9, 10, 16])
  for (const [position, code] of image.ahead) expect(image.preview()[position]).toBe(10 + code)
  const { records } = plansOf(lined(3, 6), 1)
  const { windowStart, drafts } = records[4]
  for (const [position, code] of image.ahead) expect(drafts[position - windowStart]).toBe(10 + code)
})

test.each([0, 1.5, Infinity])('a lag of %d is refused', (lag) => {
  expect(() => policyOf(lag)).toThrow(PolicyError)
  expect(() => policyOf(lag)).toThrow(`lag of front is ${lag}`)
})
