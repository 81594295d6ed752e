import { createHash } from 'node:crypto'
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hashCheckpoint } from '../../src/experiment/checkpoint.js'

let folder: string
let path: string
let memory: { folder: string; from: number }

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hash-'))
  path = join(folder, 'model.safetensors')
  memory = { folder: join(folder, 'memory'), from: 10 }
  writeFileSync(path, 'many weights')
})
afterEach(() => rmSync(folder, { recursive: true }))

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const notes = () => readdirSync(memory.folder).map((name) => join(memory.folder, name))

test('a large file is read once', async () => {
  writeFileSync(join(folder, 'config.json'), '{}')
  const hashes = { 'config.json': sha256('{}'), 'model.safetensors': sha256('many weights') }
  expect(await hashCheckpoint(folder, { memory })).toEqual(hashes)
  const [note, ...others] = notes()
  expect(others).toEqual([])
  const invented = '0'.repeat(64)
  writeFileSync(note, readFileSync(note, 'utf8').replace(hashes['model.safetensors'], invented))
  expect(await hashCheckpoint(folder, { memory })).toEqual({ ...hashes, 'model.safetensors': invented })
})

test('and again when it has changed, though its size and time are the same', async () => {
  utimesSync(path, 1, 1)
  await hashCheckpoint(folder, { memory })
  writeFileSync(`${path}.new`, 'more weights')
  utimesSync(`${path}.new`, 1, 1)
  renameSync(`${path}.new`, path)
  expect(await hashCheckpoint(folder, { memory })).toEqual({ 'model.safetensors': sha256('more weights') })
  expect(notes()).toHaveLength(1)
})

test('what cannot be remembered is read', async () => {
  await hashCheckpoint(folder, { memory })
  writeFileSync(notes()[0], '{"file"')
  const hashes = { 'model.safetensors': sha256('many weights') }
  expect(await hashCheckpoint(folder, { memory })).toEqual(hashes)
  expect(await hashCheckpoint(folder, { memory: { ...memory, folder: path } })).toEqual(hashes)
})
