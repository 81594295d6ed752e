import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Job, openSession, type Session, type WorkerEvent } from '../../src/engine/index.js'
import { Greedy } from '../engine/greedy.js'
import { python, tinyCheckpoint } from '../engine/tiny.js'
import { runs } from './processes.js'

const checkpoint = tinyCheckpoint()
const pids: number[] = []
let session: Session
let stormy = false

function onEvent(event: WorkerEvent) {
  if (event.kind !== 'worker-ready') return
  pids.push(event.pid as number)
  if (stormy) killWorker()
}

function killWorker() {
  process.kill(pids[pids.length - 1], 'SIGKILL')
}

beforeAll(async () => {
  session = await openSession({ checkpoint: checkpoint.folder, python, images: 3, onEvent })
})

afterAll(async () => {
  await session.close()
  checkpoint.remove()
  expect(pids.filter(runs)).toEqual([])
})

/**
 * Three images decoded together, with and without guidance: their ids. The worker is killed after those steps, which
 * are counted over all images.
 */
async function images(...killAfter: number[]) {
  const { image, layout } = session.model
  const prompts = await session.tokenize(['red circle', 'blue square', 'green'])
  const all = prompts.map((_, i) => new Greedy({ ...image, length: layout.length }, 3 * i))
  const jobs: Job[] = all.map((image, i) => ({ prompt: prompts[i], guidance: [3, 1, 2][i], image }))
  let steps = 0
  await session.run(jobs, { onStep: () => killAfter.includes(++steps) && killWorker() })
  return all.map(({ tokens }) => [...tokens])
}

test('a worker killed in mid-image, once or twice, changes no image', async () => {
  const undisturbed = await images()
  expect(await images(20)).toEqual(undisturbed)
  expect(pids.length).toBe(2)
  expect(await images(10, 31)).toEqual(undisturbed)
  expect(pids.length).toBe(4)
})

test('workers that are killed as soon as they are ready end the run with a clear error', async () => {
  stormy = true
  await expect(images(12)).rejects.toMatchObject({
    code: 'worker-lost',
    message: expect.stringMatching(/died 4 times in a row .* SIGKILL/),
    remedy: expect.stringContaining('memory'),
  })
})
