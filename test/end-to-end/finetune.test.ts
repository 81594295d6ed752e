import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test, vi } from 'vitest'
import { sjd2, startSjd2 } from '../cli/sjd2.js'
import { python, tinyCheckpoint } from '../engine/tiny.js'
import { ended } from '../faults/processes.js'

const checkpoint = tinyCheckpoint(4, 6, 512)
const folder = mkdtempSync(join(tmpdir(), 'finetune-'))
const pictures = join(folder, 'pictures')
execFileSync(python, ['-m', 'sjd2_worker.training.render', '--count', '6', '--out', pictures], {
  cwd: fileURLToPath(new URL('../../python_worker/', import.meta.url)),
})

afterAll(() => {
  checkpoint.remove()
  rmSync(folder, { recursive: true })
})

const small = ['--model', checkpoint.folder, '--device', 'cpu', '--dtype', 'f32', '--batch', '2']

test('what fine-tuning writes of pictures and captions is generated from without further ado', async () => {
  const out = join(folder, 'tuned')
  const data = ['--data', 'pictures', '--out', 'tuned', '--steps', '3', '--held-out', '2']
  const tuned = await sjd2(['finetune', ...small, ...data, '--json'], { cwd: folder })
  expect(tuned.exitCode, tuned.stderr).toBe(0)
  expect(JSON.parse(tuned.stdout)).toMatchObject({ out, steps: 3, after: { clean: expect.any(Number) } })
  expect(tuned.stderr).toMatch(/fine-tuning 3\/3 .* s\/step/)
  const drawn = await sjd2(['generate', 'red circle', '--model', out, '--out', folder, '--json'])
  expect(drawn.exitCode, drawn.stderr).toBe(0)
  expect(JSON.parse(drawn.stdout)).toMatchObject({ policy: 'sjd2', tokens: { length: 24 } })
})

test('interrupted, it saves its state, says so, leaves no process, and goes on from there', async () => {
  const shards = ['--out', join(folder, 'shards'), '--data', pictures]
  expect(await sjd2(['shards', ...small.slice(0, 4), ...shards])).toMatchObject({
    exitCode: 0,
    stdout: `6 examples in ${join(folder, 'shards')}: 1 of 1 files written, 6 pictures encoded, on #ffffff where transparent`,
  })
  const out = join(folder, 'stopped')
  const state = join(out, 'training', 'state')
  const command = ['finetune', ...small, '--data', join(folder, 'shards'), '--out', out, '--steps']
  const run = startSjd2([...command, '100000'])
  await vi.waitFor(() => expect(readFileSync(`${state}.jsonl`, 'utf8')).toContain('"step": 2,'), {
    timeout: 100_000,
    interval: 20,
  })
  const trainer = Number(execFileSync('pgrep', ['-P', `${run.pid}`], { encoding: 'utf8' }))
  run.kill('SIGINT')
  const { exitCode, stderr } = await run
  expect(exitCode, stderr).toBe(130)
  const steps = Number(stderr.match(/Stopped after step (\d+) of 100000; the state is saved/)?.[1])
  await ended(trainer)
  expect([existsSync(`${state}.safetensors`), existsSync(join(out, 'config.json'))]).toEqual([true, false])
  const whole = await sjd2([...command, `${steps + 2}`])
  expect(whole, whole.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Draw with it') })
  const lines = readFileSync(`${state}.jsonl`, 'utf8').trim().split('\n')
  expect(lines.map((line) => JSON.parse(line).step)).toEqual([...Array(steps + 2).keys()])
})

test('examples that cannot be used are named at once, or left out and counted', async () => {
  const data = join(folder, 'some')
  const out = join(folder, 'some-shards')
  cpSync(pictures, data, { recursive: true })
  const lines = readFileSync(join(data, 'captions.jsonl'), 'utf8').trimEnd()
  writeFileSync(
    join(data, 'captions.jsonl'),
    `${lines}\n{"file": "none.png", "caption": "red"}\n\n{"file": "a"}\n`,
  )
  const shards = ['shards', ...small.slice(0, 4), '--out', out, '--data', data]
  const refused = await sjd2(shards)
  expect(refused).toMatchObject({ exitCode: 1, stdout: '' })
  expect(refused.stderr).toContain(`2 of 8 examples in ${data} cannot be used:
  captions.jsonl, line 7 (none.png): there is no such picture
  captions.jsonl, line 9: it should be`)
  expect(refused.stderr).toContain('What to do: Mend them, or leave them out: --skip-bad.')
  expect(existsSync(out)).toBe(false)
  const text = await sjd2([...shards, '--skip-bad', '--background', 'black'])
  expect(text, text.stderr).toMatchObject({
    exitCode: 0,
    stdout: `6 examples in ${out} (2 left out): 1 of 1 files written, 6 pictures encoded, on #000000 where transparent`,
  })
  const again = await sjd2([...shards, '--skip-bad', '--background', '#000', '--json'])
  const counts = { examples: 6, skipped: 2, shards: 1, written: 0, encoded: 0 }
  expect(JSON.parse(again.stdout)).toEqual({ out, ...counts, background: '#000000' })
})

test('what is wrong is said with its remedy', async () => {
  const { exitCode, stdout, stderr } = await sjd2([
    'finetune',
    ...small,
    '--data',
    join(folder, 'none'),
    '--out',
    folder,
  ])
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
  expect(stderr).toContain(`There is no ${join(folder, 'none')}.\n  What to do: Give --data`)
})
