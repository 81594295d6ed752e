import { availableParallelism } from 'node:os'
import { afterEach, expect, test, vi } from 'vitest'
import { threadSettings } from '../../src/bridge/threads.js'

afterEach(() => vi.unstubAllEnvs())

test('threads spin for a little and sleep then, unless the user says otherwise', () => {
  vi.stubEnv('OMP_WAIT_POLICY', undefined)
  vi.stubEnv('GOMP_SPINCOUNT', undefined)
  expect(threadSettings(undefined)).toEqual({ OMP_WAIT_POLICY: 'PASSIVE', GOMP_SPINCOUNT: '5000' })
  vi.stubEnv('GOMP_SPINCOUNT', '0')
  expect(threadSettings(undefined)).toEqual({ OMP_WAIT_POLICY: 'PASSIVE', GOMP_SPINCOUNT: '0' })
})

test('there are no more threads than a container may use, unless the user says how many', () => {
  vi.stubEnv('OMP_NUM_THREADS', undefined)
  const cores = availableParallelism()
  expect(threadSettings(cores - 0.25).OMP_NUM_THREADS).toBe(String(Math.max(1, cores - 1)))
  expect(threadSettings(0.5).OMP_NUM_THREADS).toBe('1')
  for (const enough of [undefined, cores, cores + 5])
    expect(threadSettings(enough)).not.toHaveProperty('OMP_NUM_THREADS')
  vi.stubEnv('OMP_NUM_THREADS', '3')
  expect(threadSettings(0.5)).not.toHaveProperty('OMP_NUM_THREADS')
})
