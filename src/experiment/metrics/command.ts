import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { execa } from 'execa'
import { ExperimentError } from '../error.js'
import type { MetricChoice, OpenMetric } from './choice.js'
import { badMetric, pictureOf, readMeasurement } from './measurement.js'
import type { MeasuredPicture } from './metric.js'

/**
 * A metric that another program computes. It is started once, reads a JSON object for each picture from its standard
 * input, a line each (`file`: the PNG's path, `prompt`, `spec`, `guidance`, `seed`, `index`, `fields`), and answers each with a line
 * on its standard output: a number, or an object of numbers. No shell is involved.
 * @param command the program and its arguments.
 * @param folder that it is run in.
 * @throws ExperimentError `bad-metric` where the program is a path to nothing.
 */
export function metricCommand(name: string, command: readonly string[], folder: string): MetricChoice {
  const [program] = command
  const path = resolve(folder, program)
  if (program.includes('/') && !existsSync(path)) {
    throw new ExperimentError('bad-metric', `There is no ${path} to run.`, 'Check the path.')
  }
  return {
    name,
    source: { kind: 'command', command: [...command] },
    needsFile: true,
    open: (signal) => start(name, command, folder, signal),
  }
}

function start(
  name: string,
  [program, ...args]: readonly string[],
  cwd: string,
  signal: AbortSignal,
): OpenMetric {
  const subprocess = execa(program, args, {
    cwd,
    stdin: 'pipe',
    buffer: { stdout: false },
    reject: false,
    forceKillAfterDelay: 1000,
    detached: true, // a terminal's Ctrl-C is not for it: pictures that are being finished are measured
    cancelSignal: signal,
    cleanup: false, // it would listen to signals, and code that never returns would keep Ctrl-\ from ending this process
  })
  const end = () => subprocess.kill()
  process.on('exit', end)
  subprocess.stdin.on('error', () => undefined) // that it has ended is told by its lines
  const lines = subprocess.iterable({ from: 'stdout' })[Symbol.asyncIterator]()
  let last: Promise<unknown> = Promise.resolve()

  async function ask(picture: MeasuredPicture): Promise<Record<string, number>> {
    const { rgb: _, tokens: __, ...said } = picture
    subprocess.stdin.write(`${JSON.stringify(said)}\n`)
    const { value, done } = await lines.next()
    if (done)
      throw badMetric(name, `ended before it answered for ${pictureOf(picture)}: ${await lastWords()}`)
    return readMeasurement(name, parsed(String(value)))
  }

  async function lastWords(): Promise<string> {
    const { shortMessage, exitCode, stderr } = await subprocess
    return [shortMessage ?? `exit code ${exitCode}`, stderr].filter(Boolean).join('\n')
  }

  return {
    measure(picture) {
      const answer = last.then(() => ask(picture))
      last = answer.catch(() => undefined)
      return answer
    },
    async close() {
      subprocess.stdin.end()
      end()
      await subprocess
      process.off('exit', end)
    },
  }
}

/** What a line says; what is no JSON as it is, so that the refusal can show it. */
function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return line
  }
}
