import { describe, expect, test } from 'vitest'
import type { Job, Session } from '../../src/engine/index.js'
import { fastestOf, wantsFastestWindow, withFastestWindow } from '../../src/experiment/fastest-window.js'
import { choosePolicy } from '../../src/experiment/policy.js'
import { toy } from '../support/toy-model.js'

const { model } = toy({ layout: new Array(400).fill(-1), rowLength: 20, sharpness: 0 })

describe('the window that is fastest', () => {
  test.each([
    ['drafts cost nothing: the widest', { none: 5, draft: 0 }, 192],
    ['drafts seem to save time: the widest', { none: 5, draft: -0.1 }, 192],
    ['passes cost nothing but their drafts: the narrowest', { none: 0, draft: 1 }, 16],
    ['a pass costs as much as 40 drafts', { none: 40, draft: 1 }, 32],
    ['a pass costs as much as 20 drafts', { none: 20, draft: 1 }, 24],
  ])('%s', (_, cost, window) => {
    expect(fastestOf(cost)).toBe(window)
  })

  test('no other window takes less time, but for those next to it', () => {
    const passes = (window: number) => 0.06 + 1.85 / window
    for (const none of [9, 17, 60, 170, 400]) {
      const seconds = (window: number) => passes(window) * (none + window)
      const windows = Array.from({ length: 192 }, (_, i) => i + 1)
      const least = Math.min(...windows.map(seconds))
      expect(seconds(fastestOf({ none, draft: 1 })) / least).toBeLessThan(1.02)
    }
  })
})

describe('it is measured', () => {
  test.each([
    ['where the window decides nothing of the image', 'sjd2', undefined, true],
    ['not where it does', 'mc-sjd', undefined, false],
    ['not where there is none', 'autoregressive', undefined, false],
    ['not where the policy was given one', 'sjd2:window=20', undefined, false],
    [
      'not where a margin was chosen for the usual one',
      'sjd2:levels=2,denoise=distance,margin=9',
      undefined,
      false,
    ],
    ['not where one is asked for', 'sjd2', 20, false],
    ['wherever that is asked for', 'mc-sjd', 'fastest', true],
  ] as const)('%s', async (_, spec, asked, wanted) => {
    expect(wantsFastestWindow(await choosePolicy(spec), asked, model)).toBe(wanted)
  })

  test('by passes of the images themselves, and becomes an override like any other', async () => {
    const { choice, run } = await tried({ none: 0.004, draft: 0.0001 })
    expect(choice.overrides).toEqual({ coupling: 'gumbel', window: 32 })
    expect(choice.create(model).name).toBe('mc-sjd')
    expect(run.windows).toEqual([16, 64])
    expect(Math.max(...run.passes)).toBe(10)
  })

  test('by two passes each where they take long', async () => {
    const { choice, run } = await tried({ none: 0.7, draft: 0.07 })
    expect(choice.overrides.window).toBe(16)
    expect(run.passes).toEqual([2, 2])
  })

  test('what else ends a run is no measurement', async () => {
    const failure = new Error('the worker is gone')
    const session = { model, fit: async () => {}, run: () => Promise.reject(failure) }
    await expect(
      withFastestWindow(
        await choosePolicy('sjd2'),
        session,
        trial(() => 0),
      ),
    ).rejects.toBe(failure)
  })

  test('an image that is done at once keeps the policy as it is', async () => {
    const choice = await choosePolicy('sjd2')
    expect(
      await withFastestWindow(
        choice,
        { model, fit: async () => {}, run: async () => {} },
        trial(() => 0),
      ),
    ).toBe(choice)
  })
})

const trial = (clock: () => number) => ({
  images: [0, 1].map((index) => ({
    prompt: '',
    tokenized: { conditional: [1], unconditional: [1], unknown: [] },
    seed: 1,
    index,
  })),
  sampling: { temperature: 1, topK: 0, topP: 1 },
  guidance: 1,
  signal: new AbortController().signal,
  clock,
})

/** Measures on a machine that takes exactly so long, but 0.05 s more for some passes. */
async function tried({ none, draft }: { none: number; draft: number }) {
  let now = 0
  const run = { windows: [] as number[], passes: [] as number[] }
  const session: Pick<Session, 'model' | 'run' | 'fit'> = {
    model,
    fit: async () => {},
    async run(jobs, { signal, onStep } = {}) {
      const all = [...jobs]
      const drafts = all[0].image.plan().tokens.length - 1
      run.windows.push(drafts)
      for (let passes = 1; ; passes++) {
        now += none + draft * drafts + (passes === 1 || passes === 4 ? 0.05 : 0)
        for (const job of all) onStep?.(job as Job, { passes } as Parameters<typeof onStep>[1])
        run.passes[run.windows.length - 1] = passes
        signal?.throwIfAborted()
      }
    },
  }
  const choice = await choosePolicy('mc-sjd:coupling=gumbel')
  return {
    choice: await withFastestWindow(
      choice,
      session,
      trial(() => now),
    ),
    run,
  }
}
