import { expect, test } from 'vitest'
import { withSession } from '../../src/cli/session.js'

test('where the worker cannot start, no line of status is left', async () => {
  const told: string[] = []
  const progress = {
    show: (line: string) => void told.push(line),
    log: (line: string) => void told.push(line),
    clear: () => void told.push('clear'),
  }
  const options = { python: '/bin/false', device: 'auto', dtype: 'auto', imagesAtOnce: 1 } as const
  const { signal } = new AbortController()
  const session = withSession(options, 1, { signal, progress }, async () => undefined)
  await expect(session).rejects.toMatchObject({ remedy: expect.any(String) })
  expect(told).toEqual([expect.stringContaining('starting the worker'), 'clear'])
})
