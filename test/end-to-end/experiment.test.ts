import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { MEASURED } from '../../src/experiment/record.js'
import { sjd2, startSjd2 } from '../cli/sjd2.js'
import { tinyCheckpoint } from '../engine/tiny.js'

const checkpoint = tinyCheckpoint(8, 8)
const folder = mkdtempSync(join(tmpdir(), 'experiment-'))
const study = join(folder, 'study.yaml')
writeFileSync(
  study,
  `
model: ${checkpoint.folder}
imagesAtOnce: 2
prompts: [red circle, blue square, green circle]
seeds: [0, 7]
guidance: [1, 3]
policies:
  - autoregressive
  - { policy: mc-sjd, window: 4, coupling: gumbel }
metrics: [{ name: file, command: [${process.execPath}, size.mjs] }]
trajectories: 2
`,
)
writeFileSync(
  join(folder, 'size.mjs'),
  `import { createInterface } from 'node:readline'
import { statSync } from 'node:fs'
for await (const line of createInterface({ input: process.stdin })) {
  const { file, prompt } = JSON.parse(line)
  console.log(JSON.stringify({ bytes: statSync(file).size, words: prompt.split(' ').length }))
}`,
)
const IMAGES = 24

afterAll(() => {
  checkpoint.remove()
  rmSync(folder, { recursive: true })
})

const linesIn = (out: string): string[] =>
  existsSync(join(out, 'results.jsonl'))
    ? readFileSync(join(out, 'results.jsonl'), 'utf8').split('\n').slice(0, -1)
    : []

const timeless = (line: string): string =>
  JSON.stringify(JSON.parse(line), (key, value) =>
    (MEASURED as readonly string[]).includes(key) ? undefined : value,
  )

const trajectoriesIn = (out: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(join(out, 'trajectories'))
      .sort()
      .map((name) => [name, readFileSync(join(out, 'trajectories', name), 'utf8')])
      // a worker that dies over an image has its cells fed again: that pass has more entries, and nothing else differs
      .map(([name, text]) => [name, text.replaceAll(/"entries":\d+/g, '"entries":0')]),
  )

/** Waits until so many results are there. */
const reaches = (out: string, count: number) =>
  vi.waitFor(() => expect(linesIn(out).length).toBeGreaterThanOrEqual(count), {
    timeout: 200_000,
    interval: 5,
  })

/** Kills the workers among a command's children; the metric's process is another. */
function killWorker(pid: number) {
  const children = execFileSync('pgrep', ['-P', String(pid), '-f', 'sjd2_worker'], { encoding: 'utf8' })
  for (const child of children.trim().split('\n')) process.kill(Number(child), 'SIGKILL')
}

test('a study killed five times, orchestrator and worker, leaves what an undisturbed one leaves', {
  timeout: 600_000,
}, async () => {
  const calm = join(folder, 'calm')
  const undisturbed = await sjd2(['experiment', 'run', study, '--out', calm, '--json'])
  expect(undisturbed.exitCode, undisturbed.stderr).toBe(0)
  const { rows, costs } = JSON.parse(undisturbed.stdout)
  expect(rows).toHaveLength(4)
  expect(rows[1].compression.mean).toBeGreaterThan(1)
  expect(costs[0].tokensPerPass).toEqual({ mean: 1, least: 1, median: 1, high: 1, most: 1 })
  expect(costs[1].metrics['file.words'].mean).toBe(2)

  const stormy = join(folder, 'stormy')
  const kept: string[] = []
  // when so many results are there, the orchestrator or the worker dies, at whatever it was doing
  const storm = [
    [2, 'worker'],
    [5, 'orchestrator'],
    [8, 'worker'],
    [13, 'worker'],
    [16, 'orchestrator'],
  ] as const
  let run = startSjd2(['experiment', 'run', study, '--out', stormy])
  await reaches(stormy, 1)
  run.kill('SIGSTOP')
  const second = await sjd2(['experiment', 'run', study, '--out', stormy])
  run.kill('SIGCONT')
  expect(second).toMatchObject({ exitCode: 1, stdout: '' })
  expect(second.stderr).toMatch(new RegExp(`Another sjd2 is writing into .*process ${run.pid} on `))

  for (const [results, victim] of storm) {
    await reaches(stormy, results)
    if (victim === 'worker') killWorker(run.pid!)
    else {
      run.kill('SIGKILL')
      await run
      const lines = linesIn(stormy)
      expect(lines.length).toBeLessThan(IMAGES)
      expect(lines).toEqual(expect.arrayContaining(kept))
      kept.splice(0, kept.length, ...lines)
      run = startSjd2(['experiment', 'run', study, '--out', stormy])
    }
  }
  const last = await run
  expect(last.exitCode, String(last.stderr)).toBe(0)
  expect(String(last.stderr)).toContain('results: ')

  const lines = linesIn(stormy)
  expect(lines).toHaveLength(IMAGES)
  expect(lines).toEqual(expect.arrayContaining(kept)) // to their very times: nothing was done twice
  expect(lines.map(timeless)).toEqual(linesIn(calm).map(timeless))
  expect(trajectoriesIn(stormy)).toEqual(trajectoriesIn(calm))
  const [first] = Object.values(trajectoriesIn(calm)).map((text) => JSON.parse(text))
  expect(first).toMatchObject({ grid: { rows: 8, columns: 8 }, spec: 'autoregressive', guidance: 1 })
  expect(first.passes).toHaveLength(64)
})

test('a bad study is refused before anything runs, by file, line and key', async () => {
  const bad = join(folder, 'bad.yaml')
  writeFileSync(bad, 'prompts: [a]\npolicies:\n  - policy: sjd2\n    windw: 3\n')
  const out = join(folder, 'none')
  const { stderr, stdout, exitCode } = await sjd2(['experiment', 'run', bad, '--out', out])
  expect(stderr).toContain(`${bad}:4: policies[0].windw: there is no such key. Did you mean window?`)
  expect(stderr).toMatch(/\n {2}What to do: ./)
  expect(stdout).toBe('')
  expect(exitCode).toBe(1)
  expect(existsSync(out)).toBe(false)
})
