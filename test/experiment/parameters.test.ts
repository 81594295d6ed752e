import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, expect, test } from 'vitest'
import { commandOf, type Parameters, quoted, readParameters } from '../../src/experiment/parameters.js'
import { encodePicture } from '../../src/experiment/picture.js'

const folder = mkdtempSync(join(tmpdir(), 'parameters-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('a command line means its arguments to a shell', async () => {
  const args = ['plain', '--top-p=0.5', 'two words', "it's", '$HOME `x` \\ "y"', '鳥', '', '-n\n;']
  const { stdout } = await execa('sh', ['-c', `printf '%s|' ${quoted(args)}`])
  expect(stdout).toBe(args.map((arg) => `${arg}|`).join(''))
})

test('a file that is no picture of sjd2 is refused with the reason', () => {
  const rgb = new Uint8Array(3)
  const write = (name: string, data: Uint8Array | string) => {
    writeFileSync(join(folder, name), data)
    return () => readParameters(join(folder, name))
  }
  expect(() => readParameters(join(folder, 'no.png'))).toThrow('it does not exist')
  const none = 'cannot be inspected: it is no PNG file, or not a whole one.'
  expect(write('text.png', 'hello')).toThrow(none)
  const old = encodePicture({ width: 1, height: 1, rgb }, { prompt: 'red' })
  for (const end of [10, 100, -20]) expect(write('cut.png', old.subarray(0, end))).toThrow(none)
  expect(write('old.png', old)).toThrow(
    /of another version of sjd2, which makes other pictures of them \(spec, policy, /,
  )
})

test.each<[string, string | null, Parameters['parameters'], string[]]>([
  ['sjd2', null, {}, ['--policy=sjd2']],
  ['sjd2', null, { window: 16 }, ['--policy=sjd2', '--window=16']],
  ['sjd:window=16,init=left', null, { window: 16, init: 'left' }, ['--policy=sjd:window=16,init=left']],
  ['sjd:window=16', null, { window: 32 }, ['--policy=sjd:window=16', '--window=32']],
  ['sjd2-paper', null, { keepNoisyKeys: true }, ['--policy=sjd2-paper', '--keep-noisy-keys']],
  ['./mine.ts:window=3', 'mine.ts', { window: 3 }, ['--policy=./mine.ts:window=3']],
  ['./mine.ts', 'studies/mine.ts', { window: 3 }, ['--policy=studies/mine.ts:window=3']],
  ['/a/mine.ts', '/a/mine.ts', { window: 3 }, ['--policy=/a/mine.ts', '--window=3']],
])('%s in %s under %o is asked for again', (spec, policyFile, parameters, words) => {
  const of = { spec, policyFile, parameters, prompt: 'red', checkpoint: {}, environment: { device: 'cpu' } }
  const command = commandOf(of as unknown as Parameters)
  expect(command.slice(0, -2)).toEqual(['generate', ...words, '--device=cpu'])
})
