import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Router } from 'zeromq'
import { stopWarmWorker } from '../../src/bridge/warm.js'

test('a worker that is gone before its reply to shutdown is read has been stopped', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'test-'))
  const worker = new Router({ linger: 0 })
  await worker.bind(`ipc://${folder}/socket`)
  const stopped = stopWarmWorker(`ipc://${folder}/socket`, undefined, true)
  await worker.receive()
  worker.close()
  await expect(stopped)
    .resolves.toBeUndefined()
    .finally(() => rmSync(folder, { recursive: true }))
})
