import { relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Job, openSession, type Session } from '../../src/engine/index.js'
import { Trajectory } from '../../src/index.js'
import { composePolicy } from '../../src/policies/index.js'
import { Greedy } from './greedy.js'
import { python, tinyCheckpoint } from './tiny.js'

const checkpoint = tinyCheckpoint()
const prompts = ['red circle', 'blue square', 'green', 'a circle']
let session: Session

beforeAll(async () => {
  // a relative path is the caller's, not the worker's
  const folder = relative(process.cwd(), checkpoint.folder)
  session = await openSession({ checkpoint: folder, python, images: 3 })
})

afterAll(async () => {
  await session.close()
  checkpoint.remove()
})

/** Images by greedy decoding, each with its own window: their ids. */
async function decode(windows: number[], together: (jobs: Job[]) => Job[][] = (jobs) => [jobs]) {
  const { model } = session
  const tokenized = await session.tokenize(prompts)
  const images = prompts.map(
    (_, i) => new Greedy({ ...model.image, length: model.layout.length }, windows[i]),
  )
  const jobs = images.map((image, i) => ({ prompt: tokenized[i], guidance: i % 2 === 0 ? 3 : 1, image }))
  for (const some of together(jobs)) await session.run(some)
  return images.map(({ tokens }) => [...tokens])
}

describe('a session with the worker', () => {
  test('knows the model', () => {
    const { card, model, hello } = session
    expect(card).toMatchObject({ family: 'scenes', grid: { rows: 4, columns: 6 }, image: { count: 16 } })
    expect(hello).toMatchObject({ slots: 6, device: 'cpu', dtype: 'f32' })
    expect(model.layout).toEqual(new Int32Array(24).fill(-1))
    expect(model.rowLength).toBe(6)
  })

  test('has normalised embeddings: every dimension has mean 0 and deviation 1', () => {
    const { table, width } = session.model.embeddings
    const rows = table.length / width
    for (let d = 0; d < width; d++) {
      const column = Array.from({ length: rows }, (_, row) => table[row * width + d])
      const mean = column.reduce((a, b) => a + b) / rows
      expect(mean).toBeCloseTo(0, 5)
      const squares = column.reduce((sum, value) => sum + (value - mean) ** 2, 0)
      // deviation over the rows, or over the rows less one
      expect(squares / rows).toBeGreaterThan(0.9)
      expect(squares / rows).toBeLessThan(1.1)
    }
  })

  test('fetches the codebook for a policy that compares codes by it, and for no other', async () => {
    const { model } = session
    await session.fit(composePolicy('mc-sjd', {}))
    expect(model.codebook).toBeUndefined()
    const lantern = composePolicy('lantern', {})
    const [prompt] = await session.tokenize(prompts)
    const sampling = { temperature: 1, topK: 0, topP: 1 }
    const decoded = () => {
      const image = new Trajectory({ model, policy: lantern, sampling, seed: 1, index: 0 })
      return session.run([{ prompt, guidance: 1, image }]).then(() => image.done)
    }
    await expect(decoded()).rejects.toThrow('codebook of the pictures was not fetched')
    await session.fit(lantern)
    // three dimensions of eight levels each: the first two codes differ in the lowest digit alone
    expect(model.codebook?.width).toBe(3)
    expect([...(model.codebook?.table.slice(0, 6) ?? [])]).toEqual([
      ...[-0.875, -0.875, -0.875],
      ...[-0.625, -0.875, -0.875],
    ])
    expect(await decoded()).toBe(true)
  })

  test('tells when each stage of a forward began, by one clock for both processes', async () => {
    const { model } = session
    const [prompt] = await session.tokenize(prompts)
    const image = new Greedy({ ...model.image, length: model.layout.length }, 5)
    const times: number[] = []
    await session.run([{ prompt, guidance: 1, image }], {
      onForward({ planned, asked, worker, answered, decided }) {
        const { received, began, ended } = worker!
        times.push(planned, asked, received, began, ended, answered, decided)
      },
    })
    expect(times.length).toBeGreaterThan(7)
    expect(times).toEqual([...times].sort((a, b) => a - b))
  })

  test('tokenizes prompts and says which words it leaves out', async () => {
    const prompts = ['red circle', 'Purple circle!', 'red, red, red circle']
    const [known, unknown, long] = await session.tokenize(prompts)
    expect(known).toMatchObject({ unknown: [], cut: [] })
    expect(unknown).toMatchObject({ unknown: ['purple'], cut: [] })
    expect(long).toMatchObject({ unknown: [], cut: ['circle'] })
    expect(known.conditional).not.toEqual(known.unconditional)
  })

  test('decodes the same images one by one, together, and with any window', async () => {
    const sequential = await decode([0, 0, 0, 0], (jobs) => jobs.map((job) => [job]))
    expect(new Set(sequential.map(String)).size).toBe(prompts.length)
    expect(await decode([0, 0, 0, 0])).toEqual(sequential)
    expect(await decode([1, 5, 9, 24])).toEqual(sequential)
  })

  test('turns tokens into pictures, more than fit in one message', async () => {
    const { image, layout } = session.model
    const images = Array.from({ length: 5 }, (_, i) =>
      new Int32Array(layout.length).fill(image.first + 3 * i),
    )
    const pictures = await session.decode(images)
    expect(pictures.map(({ width, height, rgb }) => [width, height, rgb.length])).toEqual(
      images.map(() => [24, 16, 24 * 16 * 3]),
    )
    expect((await session.decode([images[4]]))[0]).toEqual(pictures[4])
    expect(pictures[4].rgb).not.toEqual(pictures[0].rgb)
  })

  test('counts what the worker did', async () => {
    const before = await session.stats()
    await decode([0, 0, 0, 0])
    const after = await session.stats()
    expect(after.forwards).toBeGreaterThan(before.forwards)
    expect(after.entries).toBeGreaterThan(before.entries)
    expect(after.peakBytes).toBeGreaterThan(after.cacheBytes)
  })

  test('decodes two runs at a time, each the same as alone', async () => {
    const sequential = await decode([0, 0, 0, 0])
    expect(await Promise.all([decode([0, 0, 0, 0]), decode([1, 5, 9, 24])])).toEqual([sequential, sequential])
  })
})
