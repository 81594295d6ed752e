import { describe, expect, test } from 'vitest'
import { choosePolicy } from '../../src/experiment/policy.js'

describe('a policy’s specification', () => {
  test.each([
    ['sjd', {}],
    ['mc-sjd:window=96,init=above', { window: 96, init: 'above' }],
    ['sjd2-paper:keepNoisyKeys=true,levels=5', { keepNoisyKeys: true, levels: 5 }],
  ])('%s', async (spec, overrides) => {
    expect(await choosePolicy(spec)).toMatchObject({ spec, overrides })
  })

  test('yields to options, which may hold other things', async () => {
    const options = { window: 8, seed: 3, init: undefined }
    const { overrides } = await choosePolicy('sjd:window=96,init=left', options)
    expect(overrides).toEqual({ window: 8, init: 'left' })
  })

  test.each<[string, string, (string | RegExp)?]>([
    ['sjd3', 'There is no policy "sjd3"'],
    ['sjd:windw=3', '"windw" in "sjd:windw=3"'],
    ['sjd:window=wide', 'window in "sjd:window=wide" takes a number'],
    ['sjd:window=', 'takes a number, not ""'],
    ['sjd2:keepNoisyKeys=yes', 'takes a boolean'],
    ['sjd:window=3,init=left,window=4', 'window is there twice'],
    ['./no-such-file.ts:window=3', 'no-such-file.ts'],
    ['sjd:windw=3,init=left', '"windw"', 'Did you mean window?'],
    ['SJD-2', 'There is no policy', 'Did you mean sjd2?'],
    ['sjd:init=abov', 'There is no init "abov"', 'Did you mean above?'],
    ['sjd:coupling=none', 'There is no coupling "none"', /^Choose/],
  ])('%s is refused', async (spec, message, remedy = /./) => {
    await expect(choosePolicy(spec)).rejects.toMatchObject({
      message: expect.stringContaining(message),
      remedy: expect.stringMatching(remedy),
    })
  })
})
