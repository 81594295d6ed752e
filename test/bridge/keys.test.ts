import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { curveKeyPair } from 'zeromq'
import { makeKey, readKeys } from '../../src/bridge/keys.js'

const folder = mkdtempSync(join(tmpdir(), 'test-'))
const file = join(folder, 'key')
afterAll(() => rmSync(folder, { recursive: true }))

test('the public key is the one that ZeroMQ makes with the secret', () => {
  for (let i = 0; i < 8; i++) {
    const { publicKey, secretKey } = curveKeyPair()
    writeFileSync(file, `${secretKey}\n`, { mode: 0o600 })
    expect(readKeys(file)).toEqual({ secret: secretKey, public: publicKey })
  }
})

test('a new key is for its owner alone, and is not written over', () => {
  const fresh = join(folder, 'fresh')
  makeKey(fresh)
  expect(statSync(fresh).mode & 0o777).toBe(0o600)
  const before = readFileSync(fresh, 'utf8')
  expect(readKeys(fresh).secret).toBe(before.trim())
  expect(() => makeKey(fresh)).toThrow('exists')
  expect(readFileSync(fresh, 'utf8')).toBe(before)
})

test('a key that others may read, or that is none, is refused', () => {
  chmodSync(file, 0o640)
  expect(() => readKeys(file)).toThrow('other users')
  writeFileSync(join(folder, 'short'), 'abc', { mode: 0o600 })
  expect(() => readKeys(join(folder, 'short'))).toThrow('40 characters')
  expect(() => readKeys(join(folder, 'none'))).toThrow('no such file')
})
