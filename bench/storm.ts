/**
 * Whether a study that is killed again and again ends as an undisturbed one:
 * `node --import ./bin/typescript.mjs bench/storm.ts [--kills 5] [--storms 1] [--seed 0]`. At random moments of a study
 * of 24 pictures by a tiny checkpoint the orchestrator or the worker is killed (SIGKILL), each at least once; a killed
 * orchestrator is started again by the same command. Then all files of the folder are compared byte by byte with an
 * undisturbed run's, but for what an image cost (`MEASURED` of results.jsonl, `entries` of a trajectory's passes).
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { MEASURED } from '../src/experiment/record.js'
import { ImageRandom } from '../src/numerics/index.js'
import { sjd2, startSjd2 } from '../test/cli/sjd2.js'
import { tinyCheckpoint } from '../test/engine/tiny.js'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '5' },
    storms: { type: 'string', default: '1' },
    seed: { type: 'string', default: '0' },
  },
})
const kills = Number(values.kills)

const checkpoint = tinyCheckpoint(12, 12)
const folder = mkdtempSync(join(tmpdir(), 'storm-'))
const study = join(folder, 'study.yaml')
writeFileSync(
  study,
  `
model: ${checkpoint.folder}
imagesAtOnce: 2
prompts: [red circle, blue square, green circle]
seeds: [0, 7]
guidance: [1, 3]
policies: [autoregressive, 'sjd2:window=8']
pictures: true
trajectories: 2
`,
)
const run = (out: string) => ['experiment', 'run', study, '--out', out]

/** Every file of a run by its path, as text; what an image cost is left out. */
function contents(out: string): Map<string, string> {
  const names = readdirSync(out, { recursive: true, encoding: 'utf8' }).sort()
  const files = names.filter((name) => statSync(join(out, name)).isFile())
  return new Map(files.map((name) => [name, withoutCosts(name, readFileSync(join(out, name), 'latin1'))]))
}

function withoutCosts(name: string, text: string): string {
  if (name.startsWith('trajectories')) return text.replaceAll(/"entries":\d+/g, '')
  if (name !== 'results.jsonl') return text
  return MEASURED.reduce((kept, key) => kept.replaceAll(new RegExp(`"${key}":[\\d.e-]+,?`, 'g'), ''), text)
}

/** The worker is the command's only child: the scenes' judge runs in its own process. */
function killWorker(pid: number): boolean {
  try {
    const child = execFileSync('pgrep', ['-P', String(pid), '-f', 'sjd2_worker'], { encoding: 'utf8' })
    process.kill(Number(child), 'SIGKILL')
    return true
  } catch {
    return false // none is there just now
  }
}

/** So often at most a storm's command is started. */
const MOST_STARTS = 50

/** @returns what was killed, in order. */
async function storm(out: string, seconds: number, chance: () => number): Promise<string[]> {
  const killed: string[] = []
  for (let starts = 0; starts < MOST_STARTS; starts += 1) {
    const command = startSjd2(run(out))
    const ended = command.then(({ exitCode }) => exitCode)
    while (killed.length < kills) {
      const alive = setTimeout(chance() * seconds * 1000, 'alive' as const)
      if ((await Promise.race([ended, alive])) !== 'alive') break
      if (chance() < 0.5) {
        if (killWorker(command.pid!)) killed.push('worker')
      } else {
        killed.push('orchestrator')
        command.kill('SIGKILL')
        break
      }
    }
    const done = (await ended) === 0
    if (done && killed.length === kills) return killed
    // else it was killed, or lost its worker before that was ready: the same command goes on
    if (!done) continue
    rmSync(out, { recursive: true }) // it was sooner than the storm, which begins again
    killed.length = 0
  }
  throw new Error(`The study did not end in ${MOST_STARTS} starts.`)
}

try {
  const calm = join(folder, 'calm')
  const begin = performance.now()
  const { exitCode, stderr } = await sjd2(run(calm))
  if (exitCode !== 0) throw new Error(stderr)
  const seconds = (performance.now() - begin) / 1000
  const wanted = contents(calm)
  console.log(`undisturbed: ${seconds.toFixed(1)} s, ${wanted.size} files`)
  for (let i = 0; i < Number(values.storms); i += 1) {
    const random = new ImageRandom(Number(values.seed), i)
    let drawn = 0
    const chance = () => random.uniform('draw', drawn++, 0)
    const out = join(folder, `stormy-${i}`)
    const killed = await storm(out, seconds / 2, chance)
    const found = contents(out)
    const different = [...new Set([...wanted.keys(), ...found.keys()])].filter(
      (name) => wanted.get(name) !== found.get(name),
    )
    console.log(
      `storm ${i}: killed ${killed.join(', ')}; ${different.length === 0 ? 'the same bytes' : `DIFFERENT: ${different.join(', ')}`}`,
    )
    if (different.length > 0) process.exitCode = 1
  }
} finally {
  checkpoint.remove()
  rmSync(folder, { recursive: true })
}
