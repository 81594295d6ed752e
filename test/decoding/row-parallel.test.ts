import { describe, expect, test } from 'vitest'
import {
  above,
  createPolicy,
  type Draft,
  type Draw,
  gaussian,
  gumbel,
  independent,
  left,
  maximal,
  type PassPlan,
  type PassRecord,
  PolicyError,
  type RowPieces,
  random,
  rowParallel,
  Trajectory,
} from '../../src/index.js'
import { plainSampling, start } from '../support/fake-pass.js'
import { FakeWorker } from '../support/fake-worker.js'
import { lined, NEWLINE, plain, ragged, START } from '../support/rows.js'
import { contentOfToken, type Toy, toy } from '../support/toy-model.js'

const row = (free: number) => Array.from({ length: 9 }, (_, column) => (column < free ? -1 : NEWLINE))

/** Rows of 9, 2, no and 9 codes: the short one is complete long before the first. */
const uneven = toy({ layout: [9, 2, 0, 9].flatMap(row), rowLength: 9, codes: 4 })
/** Nothing below the short row. */
const short = toy({ layout: [9, 2].flatMap(row), rowLength: 9, codes: 4 })

const policyOf = (changes: Partial<RowPieces> = {}) =>
  rowParallel({
    name: 'rows',
    rows: 3,
    lag: 2,
    window: 3,
    initialize: random,
    verify: maximal,
    refine: independent,
    ...changes,
  })

function decode(page: Toy, changes: Partial<RowPieces>, seed = 1) {
  const { image, worker } = start(page, { policy: policyOf(changes), seed })
  worker.decode(image)
  return { tokens: [...image.tokens], passes: worker.passes, history: image.history }
}

const single = { window: 0, rows: Infinity, verify: gumbel, refine: gumbel }
const sequential = (page: Toy, seed: number) => {
  const { image, worker } = start(page, { policy: createPolicy('autoregressive', {}, page.model), seed })
  worker.decode(image)
  return [...image.tokens]
}

describe('one code for each row and pass', () => {
  // Row r draws its column c in pass r * lag + c, no later than when the row above is complete.
  test.each([
    [1, 6, 2],
    [5, 1, 1],
    [2, 6, 1],
    [4, 6, 1],
    [4, 6, 2],
    [4, 6, 3],
    [4, 6, 5],
    [4, 6, 6],
    [4, 6, 7],
    [6, 4, 3],
  ])('takes C + (R - 1) min(lag, C) passes: %i rows of %i, lag %i', (rows, columns, lag) => {
    const expected = columns + (rows - 1) * Math.min(lag, columns)
    for (const page of [plain(rows, columns), lined(rows, columns)]) {
      const { passes, history } = decode(page, { ...single, lag })
      expect(passes).toBe(expected)
      expect(history).toHaveLength(expected)
      expect(history.reduce((sum, codes) => sum + codes, 0)).toBe(rows * columns)
    }
  })

  // The short row draws in passes lag and lag + 1. The last one, behind all of it, waits for nothing else.
  test.each([
    [2, 13],
    [4, 15],
  ])('behind a row that is complete before the one above it, with lag %i: %i passes', (lag, passes) => {
    expect(decode(uneven, { ...single, lag }).passes).toBe(passes)
  })

  test('of which at most `rows` at once', () => {
    // Two rows at a time: a third waits until the first is complete, and is then no more than a row behind.
    const { image, worker } = start(plain(6, 6), { policy: policyOf({ ...single, rows: 2, lag: 1 }) })
    while (!image.done) {
      const begun = new Set(image.drafts.map(({ position }) => Math.floor(position / 6)))
      expect([...begun].every((row) => row <= Math.floor(image.committed / 6) + 1)).toBe(true)
      image.advance(worker.forward(image.plan()))
    }
    // Rows go in pairs: row 2k begins when row 2k - 1 is the front's, in pass 6k, and row 2k + 1 in the pass after that.
    expect(image.passes).toBe(6 * 2 + 1 + 6)
  })

  test('with a lag of a row, it is sequential decoding, token for token', () => {
    for (const page of [plain(4, 5), lined(4, 5), ragged]) {
      for (const seed of [1, 2, 3])
        expect(decode(page, { ...single, lag: 5 }, seed).tokens).toEqual(sequential(page, seed))
    }
  })
})

describe('several drafts of each row', () => {
  const ways: [string, Partial<RowPieces>][] = [
    ['independent', {}],
    ['maximal', { refine: maximal, initialize: above }],
    ['gumbel', { verify: gumbel, refine: gumbel }],
    ['all rows, wide', { rows: Infinity, window: 9, lag: 1, refine: maximal }],
    ['one draft', { window: 1, lag: 1 }],
    ['none', { window: 0, lag: 1 }],
  ]
  const pages: [string, Toy][] = [
    ['plain', plain(4, 6)],
    ['new lines', lined(4, 6)],
    ['ragged', ragged],
    ['uneven', uneven],
    ['a short row last', short],
    ['one row', plain(1, 5)],
    ['one column', plain(5, 1)],
  ]
  test.each(
    ways.flatMap(([way, changes]) => pages.map(([title, page]) => [way, title, changes, page] as const)),
  )(
    '%s, %s: every position becomes final once, in order, and nothing that was fed or decided is lost',
    (_, __, changes, page) => {
      for (const seed of [1, 2, 3, 4, 5]) {
        const records: PassRecord[] = []
        const { image, worker } = start(page, {
          policy: policyOf(changes),
          seed,
          onPass: (record) => records.push(record),
        })
        const decided = new Map<number, number>()
        while (!image.done) {
          for (const { position, code, role } of image.drafts) {
            if (role === 'settled') expect(decided.get(position) ?? code).toBe(code)
            if (role === 'settled') decided.set(position, code)
          }
          image.advance(worker.forward(image.plan()))
        }
        for (const [position, code] of decided) expect(image.tokens[position]).toBe(10 + code)
        const free = [...page.model.layout].filter((id) => id < 0).length
        expect(image.history.reduce((sum, codes) => sum + codes, 0)).toBe(free)
        expect(image.history.every((codes) => codes > 0)).toBe(true)
        page.model.layout.forEach((id, position) => {
          if (id >= 0) expect(image.tokens[position]).toBe(id)
          else expect(image.tokens[position] - 10).toBeGreaterThanOrEqual(0)
        })
        for (const [i, { committedBefore, committed }] of records.entries()) {
          expect(committedBefore).toBe(i === 0 ? page.model.layout.indexOf(-1) : records[i - 1].committed)
          expect(committed).toBeGreaterThan(committedBefore)
        }
      }
    },
  )

  test.each(ways)(
    '%s: with a lag of a row, nothing runs ahead, and Gumbel gives the sequential image',
    (_, changes) => {
      const page = lined(4, 6)
      const { image, worker } = start(page, { policy: policyOf({ ...changes, lag: 6 }) })
      while (!image.done) {
        const row = (position: number) => Math.floor((position - 2) / 7)
        expect(image.drafts.every(({ position }) => row(position) === row(image.committed))).toBe(true)
        image.advance(worker.forward(image.plan()))
      }
      if (changes.verify === gumbel) expect([...image.tokens]).toEqual(sequential(page, 1))
    },
  )

  test('a stand-in is never verified: it is no draft of its position', () => {
    const asked: Draft[] = []
    const verify: Draw = {
      ...maximal,
      draw: (draft, ...rest) => {
        asked.push(draft)
        return maximal.draw(draft, ...rest)
      },
    }
    let standIns = 0
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const { image, worker } = start(plain(8, 3), { policy: policyOf({ verify }), seed })
      while (!image.done) {
        standIns += image.drafts.filter(({ role }) => role === 'stand-in').length
        image.advance(worker.forward(image.plan()))
      }
    }
    expect(standIns).toBeGreaterThan(10)
    expect(asked.filter(({ role }) => role !== undefined)).toEqual([])
  })

  test('take fewer passes than one each, and wider windows no more', () => {
    const smooth = toy({
      layout: Array.from({ length: 48 }, () => -1),
      rowLength: 12,
      codes: 2,
      sharpness: 0,
    })
    const passes = [0, 2, 4].map(
      (window) => decode(smooth, { window, initialize: random, refine: maximal }).passes,
    )
    expect(passes[1]).toBeLessThan(passes[0])
    expect(passes[2]).toBeLessThanOrEqual(passes[1])
  })
})

describe('what is fed', () => {
  /** The position and the positions seen, of every entry of a plan. */
  function views({ positions, tokens, mask }: PassPlan): [number, number[]][] {
    const stride = Math.ceil(tokens.length / 8)
    return Array.from(positions, (position, i) => {
      const sees = (j: number) => (mask ? (mask[i * stride + (j >> 3)] >> (j & 7)) & 1 : Number(j <= i))
      return [position, Array.from(positions).filter((_, j) => sees(j))]
    })
  }

  test('an entry sees what is settled above and in its row, and its own row’s drafts before it, but none of another row', () => {
    // Codes are all alike, so that everything goes on as the seed would have it.
    const page = lined(4, 8)
    let compared = 0
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const { image, worker } = start(page, { policy: policyOf({ lag: 1, rows: 4 }), seed })
      while (!image.done) {
        const plan = image.plan()
        const role = new Map(image.drafts.map((draft) => [draft.position, draft.role]))
        const row = (position: number) => Math.floor((position - 2) / 9)
        for (const [position, seen] of views(plan).slice(-(plan.tokens.length - plan.rows[0] - 1))) {
          const ofPass = seen.filter((j) => role.has(j) && j !== position)
          const own = ofPass.filter((j) => row(j) === row(position))
          const others = ofPass.filter((j) => row(j) !== row(position))
          expect(seen).toContain(position)
          // Of other rows: all that is settled above, and nothing else but a stand-in at the end of the row above.
          const settledAbove = image.drafts.filter(
            (draft) => draft.role === 'settled' && row(draft.position) < row(position),
          )
          const standIn = others.filter((j) => role.get(j) === 'stand-in')
          expect(others.filter((j) => role.get(j) === 'settled')).toEqual(
            settledAbove.map((draft) => draft.position),
          )
          expect(others).toHaveLength(settledAbove.length + standIn.length)
          for (const j of standIn) expect(row(j)).toBe(row(position) - 1)
          // Of its own: what stands before it.
          if (role.get(position) === undefined && role.has(position)) {
            const before = image.drafts.filter(
              (draft) => row(draft.position) === row(position) && draft.position < position,
            )
            expect(own).toEqual(before.map((draft) => draft.position))
            compared += others.length
          }
        }
        image.advance(worker.forward(plan))
      }
    }
    expect(compared).toBeGreaterThan(50)
  })

  test('a row drafts all but its last code, each by what its initialiser sees to the left', () => {
    const { image } = start(plain(4, 6), { policy: policyOf({ window: 9, initialize: left }) })
    expect(image.drafts.map(({ position }) => position)).toEqual([0, 1, 2, 3, 4])
    expect(new Set(image.drafts.map(({ code }) => code)).size).toBe(1)
  })

  test('what a row refused is drawn anew; the rest of its window enters', () => {
    const constant = (code: number) => ({ code, proposal: { kind: 'one-hot' } as const })
    const policy = policyOf({
      lag: 1,
      window: 2,
      initialize: { ...random, start: (position) => ({ position, ...constant(1), noise: null }) },
      refine: { ...independent, draw: () => constant(2) },
    })
    for (const seed of [1, 2, 3, 4]) {
      const { image, worker } = start(plain(4, 6), { policy, seed })
      const fed = new Set<number>()
      while (!image.done) {
        const drafts = image.drafts.filter(({ role }) => role === undefined)
        for (const { position, code } of drafts) expect(code).toBe(fed.has(position) ? 2 : 1)
        for (const { position } of drafts) fed.add(position)
        image.advance(worker.forward(image.plan()))
      }
    }
  })

  test('a row is never past the one above', () => {
    const page = plain(4, 8)
    let close = 0
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const { image, worker } = start(page, { policy: policyOf({ lag: 1, rows: 4, refine: maximal }), seed })
      while (!image.done) {
        const settled = new Array<number>(4).fill(0)
        const count = (position: number) => {
          settled[Math.floor(position / 8)] += 1
        }
        for (let position = 0; position < image.committed; position += 1) count(position)
        for (const { position, role } of image.drafts) if (role === 'settled') count(position)
        for (const [row, codes] of settled.slice(1).entries()) {
          if (settled[row] < 8) expect(codes).toBeLessThan(Math.max(1, settled[row]))
          if (codes > 0 && settled[row] < 8 && codes === settled[row] - 1) close += 1
        }
        image.advance(worker.forward(image.plan()))
      }
    }
    expect(close).toBeGreaterThan(0)
  })

  test('a row starts behind the new line alone, where there is one', () => {
    const page = lined(2, 6)
    const { image, worker } = start(page, { policy: policyOf({ ...single, lag: 2 }) })
    for (let pass = 0; pass < 2; pass += 1) image.advance(worker.forward(image.plan()))
    expect(image.committed).toBe(4)
    const plan = image.plan()
    expect([...plan.positions].slice(-2)).toEqual([3, 8])
    expect([...plan.tokens].slice(-2)).toEqual([image.tokens[3], NEWLINE])
    image.advance(worker.forward(plan))
    // It was fed for this pass only: what was drawn behind it stays.
    expect(image.drafts.map(({ position, role }) => [position, role])).toEqual([[9, 'settled']])
    expect(image.committed).toBe(5)
    expect([...image.plan().positions].slice(-2)).toEqual([4, 9])
  })

  test('else behind a copy of the code above the missing one, or of the last one there is', () => {
    const page = plain(3, 6)
    const { image, worker } = start(page, { policy: policyOf({ ...single, lag: 3 }) })
    for (let pass = 0; pass < 3; pass += 1) image.advance(worker.forward(image.plan()))
    const second = image.plan() // nothing is above the first row: its third code
    expect([...second.positions].slice(-1)).toEqual([5])
    expect([...second.tokens].slice(-1)).toEqual([image.tokens[2]])
    for (let pass = 3; pass < 6; pass += 1) image.advance(worker.forward(image.plan()))
    const third = image.plan() // the code at the end of the first row
    expect([...third.positions].slice(-1)).toEqual([11])
    expect([...third.tokens].slice(-1)).toEqual([image.tokens[5]])
  })

  test('which a forced token is not', () => {
    const layout = [START, START, START, ...Array.from({ length: 8 }, () => -1)]
    const { image, worker } = start(toy({ layout, rowLength: 4, codes: 4 }), {
      policy: policyOf({ ...single, lag: 2 }),
    })
    for (let pass = 0; pass < 2; pass += 1) image.advance(worker.forward(image.plan()))
    const second = image.plan()
    expect([...second.positions].slice(-1)).toEqual([6])
    expect([...second.tokens].slice(-1)).toEqual([image.tokens[4]])
  })

  test('where the row above that is not complete either, its last code', () => {
    const page = plain(3, 6)
    const { image, worker } = start(page, { policy: policyOf({ ...single, lag: 2 }) })
    for (let pass = 0; pass < 4; pass += 1) image.advance(worker.forward(image.plan()))
    const third = image.plan()
    expect([...third.positions].slice(-1)).toEqual([11])
    expect([...third.tokens].slice(-1)).toEqual([image.tokens[3]])
  })

  test('the copy is no draft of its position, and none that could be accepted', () => {
    // A row of three that starts when the one above has two: the copy stands where that one draws its last code.
    // Nor is what another row has settled, though its code be the same.
    for (const [page, columns] of [3, 6].flatMap((n) => [
      [plain(3, n), n] as const,
      [lined(3, n), n] as const,
    ])) {
      for (let seed = 0; seed < 20; seed += 1) {
        const records: PassRecord[] = []
        const policy = policyOf({ ...single, lag: 2 })
        const { image, worker } = start(page, { policy, seed, onPass: (record) => records.push(record) })
        worker.decode(image)
        expect(image.passes).toBe(columns + 2 * 2)
        expect(records.every(({ accepted }) => accepted === 0)).toBe(true)
      }
    }
  })

  test.each([1, 2, 3])(
    'a code is drawn from what the row sees: the worker’s logits behind its last entry (seed %i)',
    (seed) => {
      // By hand, for the second row's first code of `lined(2, 4)` with lag 2.
      const page = lined(2, 4)
      const { image, worker } = start(page, { policy: policyOf({ ...single, lag: 2 }), seed })
      for (let pass = 0; pass < 2; pass += 1) image.advance(worker.forward(image.plan()))
      const [first, second] = [image.tokens[2], image.tokens[3]]
      image.advance(worker.forward(image.plan()))
      const seen: [number, number][] = [
        [1, -1],
        [START, 0],
        [START, 1],
        [first, 2],
        [second, 3],
        [NEWLINE, 6],
      ]
      const cell = seen.reduce(
        (before, [id, position]) => page.absorb(before, contentOfToken(id, position)),
        undefined as ReturnType<typeof page.absorb> | undefined,
      )
      const logits = page.logits(cell as ReturnType<typeof page.absorb>)
      const noise = new Float32Array(4)
      image.random.exponentials(7, noise)
      const scores = Array.from(logits, (logit, v) => Math.exp(logit) / noise[v])
      expect(image.drafts.map(({ position, code }) => [position, code])).toEqual([
        [7, scores.indexOf(Math.max(...scores))],
      ])
    },
  )
})

describe('a worker that loses its cells changes nothing', () => {
  test.each<[string, Partial<RowPieces>]>([
    ['one code each', { ...single, lag: 1 }],
    ['drafts', { lag: 1, refine: maximal }],
    ['drafts, Gumbel', { lag: 2, verify: gumbel, refine: gumbel }],
  ])('%s', (_, changes) => {
    for (const page of [plain(4, 5), lined(4, 5), ragged]) {
      const policy = policyOf(changes)
      const undisturbed = start(page, { policy })
      undisturbed.worker.decode(undisturbed.image)
      for (const after of [1, 2, 3, 5]) {
        const { image } = start(page, { policy })
        let worker = new FakeWorker(page)
        while (!image.done) {
          image.advance(worker.forward(image.plan()))
          if (image.passes % after !== 0 || image.done) continue
          image.forgetCells()
          worker = new FakeWorker(page)
        }
        expect([...image.tokens]).toEqual([...undisturbed.image.tokens])
        expect([...image.history]).toEqual([...undisturbed.image.history])
      }
    }
  })

  test('nor is anything else remembered: an image is a function of seed and number', () => {
    const policy = policyOf({ lag: 1 })
    const page = plain(4, 5)
    const run = (index: number) => {
      const image = new Trajectory({ model: page.model, policy, sampling: plainSampling, seed: 3, index })
      new FakeWorker(page).decode(image)
      return [...image.tokens]
    }
    const first = run(0)
    expect(run(1)).not.toEqual(first)
    expect(run(0)).toEqual(first)
  })
})

describe('refused', () => {
  test.each<[Partial<RowPieces>, string]>([
    [{ rows: 0 }, 'rows of rows is 0'],
    [{ rows: 1.5 }, 'rows of rows is 1.5'],
    [{ lag: 0 }, 'lag of rows is 0'],
    [{ lag: Infinity }, 'lag of rows is Infinity'],
    [{ window: -1 }, 'window of rows is -1'],
    [{ initialize: gaussian(2) }, 'hold codes only'],
  ])('%o', (changes, reason) => {
    expect(() => policyOf(changes)).toThrow(PolicyError)
    expect(() => policyOf(changes)).toThrow(reason)
  })
})
