import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { assertRoom, checkRoom, withOutput, writeWhole } from '../../src/experiment/output.js'

const root = mkdtempSync(join(tmpdir(), 'output-'))
afterAll(() => rmSync(root, { recursive: true }))

describe('an output folder', () => {
  test('is made, with those above it, and holds nothing but what the work wrote', async () => {
    const folder = join(root, 'deep', 'er')
    await withOutput(folder, () => writeWhole(join(folder, 'a.txt'), 'a'))
    expect(readdirSync(folder)).toEqual(['a.txt'])
    expect(readFileSync(join(folder, 'a.txt'), 'utf8')).toBe('a')
  })

  test('that was made for work that failed is taken away; what was there or was written stays', async () => {
    const fail = () => Promise.reject(new Error('no'))
    const made = join(root, 'made')
    await expect(withOutput(made, fail)).rejects.toThrow('no')
    expect(existsSync(made)).toBe(false)

    const own = join(root, 'own')
    mkdirSync(own)
    await expect(withOutput(own, fail)).rejects.toThrow('no')
    expect(existsSync(own)).toBe(true)

    const written = join(root, 'written')
    const writeAndFail = async () => {
      await writeWhole(join(written, 'a.txt'), 'a')
      return fail()
    }
    await expect(withOutput(written, writeAndFail)).rejects.toThrow('no')
    expect(readdirSync(written)).toEqual(['a.txt'])
  })
})

describe('a full disk', () => {
  test('is told before the work, with what is free and what is needed', () => {
    expect(() => assertRoom('here', 5 << 20, 7 << 20)).toThrow(
      'The disk that holds here is full: 5.0 MiB free, about 7.0 MiB needed.',
    )
    expect(() => assertRoom('here', 7 << 20, 7 << 20)).not.toThrow()
  })

  test('is found by asking the disk', async () => {
    await checkRoom(root, 1)
    await expect(checkRoom(root, 2 ** 60)).rejects.toMatchObject({
      code: 'bad-output',
      remedy: expect.stringContaining('--out'),
    })
  })
})

test('a file that cannot take its place leaves no temporary one', async () => {
  const folder = join(root, 'taken')
  mkdirSync(join(folder, 'a.txt'), { recursive: true })
  await expect(writeWhole(join(folder, 'a.txt'), 'a')).rejects.toMatchObject({
    code: 'bad-output',
    message: expect.stringContaining('a folder of that name is in the way'),
  })
  expect(readdirSync(folder)).toEqual(['a.txt'])
})
