import { afterEach, expect, test, vi } from 'vitest'
import { waitingThreads } from '../../src/bridge/threads.js'

afterEach(() => vi.unstubAllEnvs())

test('threads spin for a little and sleep then, unless the user says otherwise', () => {
  vi.stubEnv('OMP_WAIT_POLICY', undefined)
  vi.stubEnv('GOMP_SPINCOUNT', undefined)
  expect(waitingThreads()).toEqual({ OMP_WAIT_POLICY: 'PASSIVE', GOMP_SPINCOUNT: '5000' })
  vi.stubEnv('GOMP_SPINCOUNT', '0')
  expect(waitingThreads()).toEqual({ OMP_WAIT_POLICY: 'PASSIVE', GOMP_SPINCOUNT: '0' })
})
