import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterAll, expect, test } from 'vitest'
import { withLock } from '../../src/experiment/lock.js'

const root = mkdtempSync(join(tmpdir(), 'lock-'))
afterAll(() => rmSync(root, { recursive: true }))
let folders = 0
const fresh = () => mkdtempSync(join(root, `${folders++}-`))

test('whoever comes second is refused and told who is first; afterwards nothing is left', async () => {
  const folder = fresh()
  let secondWorked = false
  const work = async () => {
    const second = withLock(folder, async () => {
      secondWorked = true
    })
    await expect(second).rejects.toMatchObject({
      code: 'bad-output',
      message: expect.stringContaining(`${folder} (process ${process.pid} on ${hostname()}, since 2`),
      remedy: expect.stringContaining('--out'),
    })
    return 'done'
  }
  expect(await withLock(folder, work)).toBe('done')
  expect(secondWorked).toBe(false)
  expect(readdirSync(folder)).toEqual([])
  await expect(withLock(folder, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await withLock(folder, async () => 'again')).toBe('again')
})

test('a process that is killed leaves the folder free, though the file is still there', async () => {
  const folder = fresh()
  const lock = fileURLToPath(new URL('../../src/experiment/lock.ts', import.meta.url))
  const script = `
    import { withLock } from ${JSON.stringify(lock)}
    await withLock(${JSON.stringify(folder)}, () => {
      console.log('locked')
      return new Promise(() => setInterval(() => {}, 1000))
    })`
  const typescript = fileURLToPath(new URL('../../bin/typescript.mjs', import.meta.url))
  const other = execa(process.execPath, ['--import', typescript, '--input-type=module', '-e', script], {
    reject: false,
  })
  await new Promise((resolve) => other.stdout.once('data', resolve))
  await expect(withLock(folder, async () => {})).rejects.toThrow(`process ${other.pid} on`)
  other.kill('SIGKILL')
  await other
  expect(existsSync(join(folder, '.lock'))).toBe(true)
  expect(await withLock(folder, async () => 'free')).toBe('free')
})

test('of many that try again and again, one at a time gets in', async () => {
  const folder = fresh()
  let inside = 0
  let most = 0
  let done = 0
  const enter = () =>
    withLock(folder, async () => {
      inside += 1
      most = Math.max(most, inside)
      await new Promise(setImmediate)
      inside -= 1
      done += 1
    })
  const tryOften = async () => {
    for (let own = 0; own < 40; )
      await enter().then(
        () => own++,
        () => undefined,
      )
  }
  await Promise.all(Array.from({ length: 12 }, tryOften))
  expect({ most, done }).toEqual({ most: 1, done: 480 })
})
