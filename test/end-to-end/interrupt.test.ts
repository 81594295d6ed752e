import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode } from 'fast-png'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { startSjd2 } from '../cli/sjd2.js'
import { tinyCheckpoint } from '../engine/tiny.js'
import { ended } from '../faults/processes.js'

const checkpoint = tinyCheckpoint()
const folder = mkdtempSync(join(tmpdir(), 'interrupt-'))
const prompts = join(folder, 'prompts.txt')
writeFileSync(prompts, 'red circle\n')
const endless = join(folder, 'endless.ts')
writeFileSync(
  endless,
  `import { above, chain, exactPrefix, maximal } from 'sjd2'
  const endless = (): number => { console.error('decoding'); for (;;); }
  export default chain({ name: 'endless', window: endless, initialize: above, verify: maximal,
    prefix: exactPrefix, refine: maximal, denoise: null })`,
)
const study = join(folder, 'study.yaml')
writeFileSync(
  study,
  `{ model: ${checkpoint.folder}, prompts: [red], policies: [./endless.ts], metrics: [{ name: cat, command: [cat] }] }`,
)

afterAll(() => {
  checkpoint.remove()
  rmSync(folder, { recursive: true })
})

/** A run far longer than any test, once it has finished a picture. */
async function longRun(out: string, ...args: string[]) {
  const run = startSjd2([
    'generate',
    '--model',
    checkpoint.folder,
    '--out',
    out,
    '--prompts',
    prompts,
    '--count',
    '5000',
    ...args,
  ])
  const worker = await vi.waitFor(
    () => {
      expect(readdirSync(out)).toContain('results.jsonl') // whose first line says that a picture is done
      return workerOf(run.pid!)
    },
    { timeout: 100_000, interval: 100 },
  )
  return { run, worker }
}

/** The processes that a command started. */
const childrenOf = (pid: number): number[] =>
  execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map(Number)

/** The only one. */
function workerOf(pid: number): number {
  const [worker, ...others] = childrenOf(pid)
  expect(others).toEqual([])
  return worker
}

function expectWhole(out: string) {
  const names = readdirSync(out)
  expect(names.filter((name) => !/^red-circle-s0-\d+-[0-9a-f]{12}\.png$/.test(name))).toEqual([
    'manifest.json',
    'results.jsonl',
  ])
  const pictures = names.filter((name) => name.endsWith('.png'))
  for (const name of pictures)
    expect(decode(readFileSync(join(out, name)), { checkCrc: true }).width).toBe(24)
  // a picture is written before the line that says that it is done
  const results = readFileSync(join(out, 'results.jsonl'), 'utf8').split('\n').slice(0, -1)
  expect(pictures).toEqual(expect.arrayContaining(results.map((line) => JSON.parse(line).file)))
  expect(results.length).toBeGreaterThan(0)
}

/** A policy file, one code a pass, each of which takes so long; it tells on standard error how far an image is. */
function slow(name: string, milliseconds: number): string {
  const file = join(folder, name)
  writeFileSync(
    file,
    `import { exactPrefix, left, maximal, chain } from 'sjd2'
    const wait = new Int32Array(new SharedArrayBuffer(4))
    const window = ({ committed }: { committed: number }): number => { console.error('committed', committed); Atomics.wait(wait, 0, 0, ${milliseconds}); return 0 }
    export default chain({ name: 'slow', window, initialize: left, verify: maximal, prefix: exactPrefix, refine: maximal,
      denoise: null })`,
  )
  return file
}

/** Runs in a process group of its own, as a terminal has it, and waits until an image has come so far. */
async function runUntil(committed: number, policy: string, out: string, ...args: string[]) {
  const words = [
    'generate',
    '--prompts',
    prompts,
    '--count',
    '3',
    '--images-at-once',
    '1',
    '--policy',
    policy,
  ]
  const run = startSjd2([...words, '--model', checkpoint.folder, '--out', out, ...args], { detached: true })
  await new Promise<void>((resolve) => {
    run.stderr
      .on('data', (text) => String(text).includes(`committed ${committed}\n`) && resolve())
      .on('end', resolve)
  })
  return { run, worker: workerOf(run.pid!), interrupt: () => process.kill(-run.pid!, 'SIGINT') }
}

describe('interrupted', () => {
  test('a picture that is nearly done is finished, and the same command goes on behind it', async () => {
    const out = join(folder, 'nearly')
    const policy = slow('slow.ts', 100)
    const { run, worker, interrupt } = await runUntil(12, policy, out)
    interrupt()
    const { exitCode, stderr } = await run
    expect(stderr).toMatch(/Interrupted: finishing 1 picture, a few seconds.*goes on/)
    expect(exitCode).toBe(130)
    await ended(worker)
    expectWhole(out)
    expect(readFileSync(join(out, 'results.jsonl'), 'utf8').trimEnd().split('\n')).toHaveLength(1)
    const more = await runUntil(1, policy, out)
    more.interrupt()
    expect((await more.run).stderr).toContain('1 of 3 pictures are there already')
  })

  test('a picture that is far from done is lost, which is said; nothing is waited for', async () => {
    const { run, worker, interrupt } = await runUntil(3, slow('slower.ts', 1000), join(folder, 'far'))
    const begin = performance.now()
    interrupt()
    const { exitCode, stderr } = await run
    expect(performance.now() - begin).toBeLessThan(10_000) // it would have been 20 s
    expect(stderr).toContain('Interrupted: 1 picture of which more was missing is lost')
    expect(exitCode).toBe(130)
    await ended(worker)
  })

  test('twice, it ends at once', async () => {
    const out = join(folder, 'twice')
    const { run, worker, interrupt } = await runUntil(12, slow('slow.ts', 100), out)
    interrupt()
    await new Promise<void>((resolve) => {
      run.stderr.on('data', (text) => String(text).includes('finishing') && resolve()).on('end', resolve)
    })
    interrupt()
    expect(await run).toMatchObject({ exitCode: 130 })
    await ended(worker)
    expect(readdirSync(out).filter((name) => name.endsWith('.png'))).toEqual([])
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('by %s it exits with %i, leaves whole pictures and no worker', async (signal, code) => {
    const out = join(folder, signal)
    const { run, worker } = await longRun(out)
    run.kill(signal)
    const { exitCode, stderr } = await run
    expect(exitCode).toBe(code)
    expect(stderr).toContain('Interrupted.')
    await ended(worker)
    expectWhole(out)
  })

  test('while the worker starts, nothing is left', async () => {
    const out = join(folder, 'early')
    const run = startSjd2(['generate', 'red', '--model', checkpoint.folder, '--out', out])
    const worker = await vi.waitFor(() => workerOf(run.pid!), { timeout: 100_000, interval: 20 })
    run.kill('SIGINT')
    expect(await run).toMatchObject({ exitCode: 130, stdout: '' })
    await ended(worker)
    expect(readdirSync(folder)).not.toContain('early')
  })

  test.each([
    ['generate', ['generate', 'red', '--model', checkpoint.folder, '--policy', endless], 1],
    ['a study with a metric’s command', ['experiment', 'run', study], 2],
  ])(
    'by Ctrl-\\ %s ends, with its children, though a policy of the user’s never returns',
    async (name, args, count) => {
      const run = startSjd2([...args, '--out', join(folder, name)])
      await new Promise<void>((resolve) => {
        run.stderr.on('data', (text) => String(text).includes('decoding') && resolve()).on('end', resolve)
      })
      const children = childrenOf(run.pid!)
      expect(children).toHaveLength(count)
      run.kill('SIGQUIT')
      expect(await run).toMatchObject({ signal: 'SIGQUIT' })
      for (const child of children) await ended(child)
    },
  )

  test('by a closed standard output it ends, with the worker', async () => {
    const out = join(folder, 'pipe')
    const { run, worker } = await longRun(out, '--json')
    run.stdout!.destroy()
    expect(await run).toMatchObject({ exitCode: 141 })
    await ended(worker)
    expectWhole(out)
  })
})
