import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { privateAddress } from '../../src/bridge/address.js'

let root: string
const before = process.env.TMPDIR

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'test-'))
})

afterEach(() => {
  if (before === undefined) delete process.env.TMPDIR
  else process.env.TMPDIR = before
  rmSync(root, { recursive: true })
})

test('the folder of a socket can be entered by this user only, and is removed', () => {
  process.env.TMPDIR = root
  const { endpoint, remove } = privateAddress()
  const folder = dirname(endpoint.slice('ipc://'.length))
  expect(dirname(folder)).toBe(root)
  expect(statSync(folder).mode & 0o777).toBe(0o700)
  remove()
  expect(existsSync(folder)).toBe(false)
})

test('a path that is too long for a socket is refused, with the remedy', () => {
  process.env.TMPDIR = join(root, 'x'.repeat(80))
  mkdirSync(process.env.TMPDIR)
  expect(privateAddress).toThrowError(
    expect.objectContaining({ code: 'bad-endpoint', remedy: expect.stringContaining('TMPDIR') }),
  )
})

test('a place that does not exist is refused', () => {
  process.env.TMPDIR = join(root, 'nowhere')
  expect(privateAddress).toThrowError(expect.objectContaining({ code: 'bad-endpoint' }))
})
