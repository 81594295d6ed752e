import { expect, test } from 'vitest'
import { startNullWorker } from '../../bench/null-worker.js'

// What bench/passes.ts, growth.ts and others measure with: it must speak the protocol that the worker speaks.
test('the null worker is greeted as the worker is, and serves embeddings', async () => {
  const worker = await startNullWorker({ images: 1, grid: 4, count: 16, width: 8 })
  try {
    const { cells, promptCells, model } = worker.hello
    expect(cells).toBeGreaterThanOrEqual(promptCells + model.layout.length)
    const { tensors } = await worker.request({ op: 'embeddings' })
    expect(tensors.table.shape).toEqual([16, 8])
  } finally {
    await worker.close()
  }
})
