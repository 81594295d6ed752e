import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decode } from 'fast-png'
import { afterAll, describe, expect, test } from 'vitest'
import { type Job, openSession } from '../../src/engine/index.js'
import { sjd2 } from '../cli/sjd2.js'
import { Greedy } from '../engine/greedy.js'
import { python } from '../engine/tiny.js'
import { pictureIn } from '../support/pictures.js'

// Checkpoints whose prompts are a class, a caption's features, or text: LlamaGen's two kinds, and Janus-Pro.
const folder = mkdtempSync(join(tmpdir(), 'conditions-'))
afterAll(() => rmSync(folder, { recursive: true }))
const workerFolder = fileURLToPath(new URL('../../python_worker/', import.meta.url))
execFileSync(python, ['-m', 'tests.tiny_llamagen', folder], { cwd: workerFolder, stdio: 'ignore' })
const writeJanus = `from pathlib import Path; from tests.tiny_families import write_janus; write_janus(Path("${folder}/janus"))`
execFileSync(python, ['-c', writeJanus], { cwd: workerFolder, stdio: 'ignore' })

describe.each([
  { kind: 'classes', prompt: '3', file: '3', noisy: 'init=above' },
  { kind: 'captions', prompt: 'a red circle', file: 'a-red-circle', noisy: 'levels=2' },
  { kind: 'janus', prompt: 'a red circle', file: 'a-red-circle', noisy: 'init=above' },
])('a tiny checkpoint of $kind', ({ kind, prompt, file, noisy }) => {
  test('draws the same picture by every exact policy, with its own guidance and sampling', async () => {
    const out = join(folder, `${kind}-compared`)
    const prompts = join(folder, `${kind}.txt`)
    writeFileSync(prompts, prompt)
    const policies = ['autoregressive', 'mc-sjd:window=8,coupling=gumbel', `sjd2:window=8,${noisy}`]
    const options = [
      '--model',
      join(folder, kind),
      '--prompts',
      prompts,
      '--out',
      out,
      '--pictures',
      '--json',
    ]
    const ran = await sjd2(['compare', ...policies, ...options])
    expect(ran.exitCode, ran.stderr).toBe(0)
    const rows: { spec: string; passes: number; guidance: number }[] = JSON.parse(ran.stdout).rows
    const pictures = rows.map(({ spec, guidance }) => {
      const own = `${spec.replaceAll(/[^a-z0-9]+/g, '-')}-g${guidance}`
      return decode(readFileSync(pictureIn(join(out, own), `${file}-s0-0`))).data
    })
    expect(rows.map(({ guidance }) => guidance)).toEqual(
      Array(3).fill({ classes: 4, captions: 7.5, janus: 5 }[kind]),
    )
    expect(rows[0].passes).toBe(16)
    for (const row of [1, 2]) {
      expect(rows[row].passes).toBeLessThan(16)
      expect(pictures[row]).toEqual(pictures[0])
    }
  })
})

describe('with captions', () => {
  test('generate draws the same by its default policy: this checkpoint was fine-tuned to read noise', async () => {
    const out = join(folder, 'generated')
    const ran = await sjd2([
      'generate',
      'a red circle',
      '--model',
      join(folder, 'captions'),
      '--out',
      out,
      '--json',
    ])
    expect(ran.exitCode, ran.stderr).toBe(0)
    const drawn = JSON.parse(ran.stdout)
    expect(drawn).toMatchObject({ policy: 'sjd2', guidance: 7.5, topK: 1000 })
    const sequential = pictureIn(
      join(folder, 'captions-compared', 'autoregressive-g7.5'),
      'a-red-circle-s0-0',
    )
    expect(decode(readFileSync(drawn.file)).data).toEqual(decode(readFileSync(sequential)).data)
  })

  test('a worker killed in mid-image changes no image: the features are fed again', async () => {
    const pids: number[] = []
    const session = await openSession({
      checkpoint: join(folder, 'captions'),
      python,
      images: 2,
      onEvent: (event) => event.kind === 'worker-ready' && pids.push(event.pid as number),
    })
    async function images(killAfter?: number) {
      const { image, layout } = session.model
      const all = [0, 1].map((i) => new Greedy({ ...image, length: layout.length }, 3 * i))
      const prompts = await session.tokenize(['a red circle', 'a blue square a circle'])
      const jobs: Job[] = all.map((image, i) => ({ prompt: prompts[i], guidance: [7.5, 1][i], image }))
      let steps = 0
      const kill = () => process.kill(pids[pids.length - 1], 'SIGKILL')
      await session.run(jobs, { onStep: () => ++steps === killAfter && kill() })
      return all.map(({ tokens }) => [...tokens])
    }
    try {
      const undisturbed = await images()
      expect(undisturbed[0]).not.toEqual(undisturbed[1])
      expect(await images(9)).toEqual(undisturbed)
      expect(pids).toHaveLength(2)
    } finally {
      await session.close()
    }
  })
})
