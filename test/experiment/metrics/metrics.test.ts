import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterAll, describe, expect, test } from 'vitest'
import type { MetricChoice } from '../../../src/experiment/metrics/choice.js'
import { chooseMetric } from '../../../src/experiment/metrics/choose.js'
import type { MeasuredPicture } from '../../../src/index.js'
import { ended } from '../../faults/processes.js'

const folder = mkdtempSync(join(tmpdir(), 'metrics-'))
afterAll(() => rmSync(folder, { recursive: true }))

const root = fileURLToPath(new URL('../../../', import.meta.url))
const examples = join(root, 'examples')

const picture = (rgb: readonly number[], index = 0): MeasuredPicture => ({
  width: rgb.length / 3,
  height: 1,
  rgb: Uint8Array.from(rgb),
  prompt: 'a red circle',
  spec: 'sjd2',
  guidance: 3,
  seed: 7,
  fields: {},
  index,
  tokens: Int32Array.of(1, 2),
  file: '/pictures/a.png',
})

async function measure(metric: MetricChoice, ...pictures: MeasuredPicture[]) {
  const open = metric.open(new AbortController().signal)
  try {
    return await Promise.all(pictures.map((one) => open.measure(one)))
  } finally {
    await open.close()
  }
}

describe('a metric file', () => {
  test('measures pictures: the example', async () => {
    const metric = await chooseMetric('./colourfulness.ts', examples)
    expect(metric).toMatchObject({
      name: 'colourfulness',
      needsFile: false,
      source: { entry: 'colourfulness.ts' },
    })
    const grey = picture([50, 50, 50, 90, 90, 90])
    // red − green: 255 and −255; yellow − blue: 127.5 twice
    const vivid = picture([255, 0, 0, 0, 255, 0])
    const [first, second] = await measure(metric, grey, vivid)
    expect(first).toEqual({ colourfulness: 0 })
    expect(second.colourfulness).toBeCloseTo(255 + 0.3 * 127.5)
  })

  test('that is none is refused by its line, before it runs', async () => {
    writeFileSync(join(folder, 'wrong.ts'), `const metric = (n: string) => n.length\nexport default metric\n`)
    await expect(chooseMetric({ name: 'w', file: 'wrong.ts' }, folder)).rejects.toMatchObject({
      code: 'bad-metric',
      message: expect.stringMatching(/wrong\.ts:1: its default export is no metric/),
    })
  })

  test('that gives no number, or throws, is said to, with the picture', async () => {
    writeFileSync(
      join(folder, 'moody.ts'),
      `import type { Metric } from 'sjd2'
      const moody: Metric = ({ index }) => { if (index > 0) throw new Error('no mood'); return NaN }
      export default moody`,
    )
    const metric = await chooseMetric('./moody.ts', folder)
    await expect(measure(metric, picture([0, 0, 0]))).rejects.toThrow('The metric moody gave null')
    await expect(measure(metric, picture([0, 0, 0], 1))).rejects.toThrow(
      /moody failed for sjd2 g=3 "a red circle" seed 7 #1, at .*moody\.ts:2:\d+: Error: no mood/,
    )
  })
})

describe('a metric command', () => {
  const command = (name: string, body: string) => {
    const file = join(folder, `${name}.mjs`)
    writeFileSync(file, `import { createInterface } from 'node:readline'\n${body}`)
    return chooseMetric({ name, command: [process.execPath, `${name}.mjs`, 'a b;$(c)'] }, folder)
  }

  test('is asked in turn, on one process, with its arguments as they are', async () => {
    const metric = await command(
      'echo',
      `let asked = 0
      for await (const line of createInterface({ input: process.stdin })) {
        const { index, file, seed, rgb } = JSON.parse(line)
        const right = file === '/pictures/a.png' && seed === 7 && rgb === undefined && process.argv[2] === 'a b;$(c)'
        console.log(JSON.stringify({ index, asked: asked++, right: Number(right) }))
      }`,
    )
    expect(metric.needsFile).toBe(true)
    const answers = await measure(metric, ...[5, 6, 7].map((index) => picture([0, 0, 0], index)))
    expect(answers).toEqual(
      [5, 6, 7].map((index, i) => ({ 'echo.index': index, 'echo.asked': i, 'echo.right': 1 })),
    )
  })

  test('that says something else, or ends, is refused with what it said', async () => {
    const chatty = await command('chatty', `console.log('loading the model'); process.stdin.resume()`)
    await expect(measure(chatty, picture([0, 0, 0]))).rejects.toThrow('chatty gave "loading the model"')
    const broken = await command('broken', `console.error('no such weights'); process.exit(3)`)
    await expect(measure(broken, picture([0, 0, 0]))).rejects.toThrow(
      /broken ended before it answered .*\n.*no such weights/s,
    )
    const absent = await chooseMetric({ name: 'absent', command: ['no-such-program'] }, folder)
    await expect(measure(absent, picture([0, 0, 0]))).rejects.toThrow(/absent ended before .*ENOENT/s)
  })

  test('ends when the process that asked it exits, though it does not heed that nothing more comes', async () => {
    const script = `
      import { metricCommand } from './src/experiment/metrics/command.ts'
      const code = 'console.log(process.pid); setInterval(() => {}, 1000)'
      const metric = metricCommand('deaf', [process.execPath, '-e', code], '.').open(new AbortController().signal)
      console.log((await metric.measure({})).deaf)
      process.exit()`
    const args = ['--import', './bin/typescript.mjs', '--input-type=module', '--eval', script]
    const { stdout } = await execa(process.execPath, args, { cwd: root })
    await ended(Number(stdout))
  })
})

test('a metric that there is not is refused', async () => {
  await expect(chooseMetric('clip', folder)).rejects.toThrow('There is no metric "clip"')
})
