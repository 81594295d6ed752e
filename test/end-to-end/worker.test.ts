import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode } from 'fast-png'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sjd2 } from '../cli/sjd2.js'
import { python, tinyCheckpoint } from '../engine/tiny.js'

const checkpoint = tinyCheckpoint()
const folder = mkdtempSync(join(tmpdir(), 'test-'))
const place = { cwd: folder, env: { TMPDIR: folder, XDG_RUNTIME_DIR: '', SJD2_PYTHON: python } }
const run = (...words: string[]) => sjd2(words, place)

afterAll(async () => {
  await run('worker', 'stop', 'tiny', '--force')
  rmSync(folder, { recursive: true })
  checkpoint.remove()
})

describe('a worker that stays', () => {
  beforeAll(async () => {
    const model = ['--model', checkpoint.folder, '--dtype', 'f32']
    const { stdout, stderr } = await run(
      'worker',
      'start',
      '--name',
      'tiny',
      ...model,
      '--images-at-once',
      '2',
      '--json',
    )
    expect(JSON.parse(stdout), stderr).toMatchObject({
      name: 'tiny',
      endpoint: expect.stringMatching(/^ipc:/),
    })
  })

  test('draws what a worker of one’s own draws, and is replayed on', async () => {
    const words = ['generate', 'red circle', '--count', '2', '--policy', 'mc-sjd', '--json']
    const own = await run(...words, '--model', checkpoint.folder, '--out', 'own')
    const shared = await run(...words, '--connect', 'tiny', '--out', 'shared')
    const pictures = [own, shared].map(({ stdout, stderr }) => {
      const files: string[] = stdout.split('\n').map((line) => JSON.parse(line).file)
      expect(files.length, stderr).toBe(2)
      // lines come as pictures are finished
      return files.sort().map((file) => decode(readFileSync(join(folder, file))).data)
    })
    expect(pictures[1]).toEqual(pictures[0])
    const replayed = await run('replay', 'own', '--connect', 'tiny')
    expect(replayed.stdout, replayed.stderr).toContain('2 of 2 images are identical')
    expect(replayed.exitCode).toBe(0)
  })

  test('makes the pictures of a report', async () => {
    const words = ['jacobi', '--scenes', '1', '--trajectories', '1', '--out', 'compared']
    const compared = await run('compare', ...words, '--connect', 'tiny')
    expect(compared.exitCode, compared.stderr).toBe(0)
    const reported = await run('report', 'compared', '--connect', 'tiny')
    expect(reported.stdout, reported.stderr).toBe('compared/report.html')
    expect(reported.stderr).toContain('connecting to the worker tiny')
  })

  test('is told of by its name', async () => {
    const { stdout } = await run('worker', 'status', '--json')
    expect(JSON.parse(stdout)).toMatchObject([
      { name: 'tiny', slots: 4, leased: 0, checkpoint: checkpoint.folder },
    ])
  })

  test.each([
    [['--connect', 'nobody'], 1, 'There are: tiny'],
    [['--connect', 'tiny', '--model', '/elsewhere'], 2, 'Leave --model'],
    [['--connect', 'tiny', '--dtype', 'bf16'], 2, 'Leave --dtype out'],
    [['--connect', 'tcp://127.0.0.1:1'], 2, '--model'],
    [['--connect', 'tcp://127.0.0.1:1', '--model', 'x'], 1, '--key'],
    [['--key', 'file'], 2, '--connect'],
  ] as const)('is not what %j asks for', async (words, exitCode, says) => {
    const refused = await run('generate', 'red', ...words)
    expect(refused.stderr).toContain(says)
    expect(refused.exitCode).toBe(exitCode)
  })
})

test('a worker that cannot start is told of, and the command ends', async () => {
  const { exitCode, stderr } = await run('worker', 'start', '--name', 'none', '--model', 'nowhere')
  expect(stderr).toContain('nowhere')
  expect(exitCode).toBe(1)
})

test('for other machines: a key in the folder that one is in, and an IPv6 address', async ({ skip }) => {
  const port = await freePort('::1')
  if (port === undefined) return skip('this machine has no IPv6')
  const address = `tcp://[::1]:${port}`
  const model = ['--model', checkpoint.folder, '--dtype', 'f32']
  await run('worker', 'key', 'secret')
  try {
    const started = await run(
      'worker',
      'start',
      '--name',
      'far',
      ...model,
      '--listen',
      address,
      '--key',
      'secret',
    )
    expect(started.exitCode, started.stderr).toBe(0)
    const drawn = await run('generate', 'red circle', '--policy', 'mc-sjd', '--connect', 'far', '--json')
    expect(drawn.exitCode, drawn.stderr).toBe(0)
  } finally {
    await run('worker', 'stop', 'far', '--force')
  }
})

/** Undefined where there is no such address. */
async function freePort(host: string): Promise<number | undefined> {
  const server = createServer().listen(0, host)
  try {
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  } catch {
    return undefined
  } finally {
    server.close()
  }
}
