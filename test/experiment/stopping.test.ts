import { expect, test, vi } from 'vitest'
import { Stopping, type WindDown } from '../../src/experiment/stopping.js'

const reason = new Error('interrupted')

function stopping() {
  const word = new AbortController()
  const told: WindDown[] = []
  return {
    stopping: new Stopping(word.signal, (left) => told.push(left)),
    told,
    stop: () => word.abort(reason),
  }
}

test('where nothing is at work that could be finished, all ends at the first word', () => {
  const { stopping: one, told, stop } = stopping()
  stop()
  expect(one.now.reason).toBe(reason)
  expect(told).toEqual([])
})

test('what is nearly done is finished, and then it throws the reason', async () => {
  const { stopping: one, told, stop } = stopping()
  const left = { finishing: 2, lost: 1 }
  let finished = false
  const during = one.during(
    async () => {
      stop()
      await Promise.resolve()
      expect(one.now.aborted).toBe(false)
      finished = true
    },
    () => left,
  )
  await expect(during).rejects.toBe(reason)
  expect([finished, told]).toEqual([true, [left]])
  await expect(
    one.during(
      async () => {},
      () => left,
    ),
  ).rejects.toBe(reason) // nothing begins behind it
})

test('where nothing is nearly done, or it takes longer than it should, all ends', async () => {
  vi.useFakeTimers()
  try {
    for (const [finishing, seconds] of [
      [0, 0],
      [1, 10],
    ]) {
      const { stopping: one, stop } = stopping()
      const ended = new Promise<void>((resolve) => one.now.addEventListener('abort', () => resolve()))
      const during = one.during(
        () => ended,
        () => ({ finishing, lost: 3 }),
      )
      stop()
      expect(one.now.aborted).toBe(finishing === 0)
      vi.advanceTimersByTime(1000 * seconds)
      expect(one.now.reason).toBe(reason)
      await expect(during).rejects.toBe(reason)
    }
  } finally {
    vi.useRealTimers()
  }
})
