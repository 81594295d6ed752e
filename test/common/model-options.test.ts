import { execa } from 'execa'
import { describe, expect, test } from 'vitest'
import { modelArgs, pathOf, workerFolder } from '../../src/bridge/process.js'
import { createProgram } from '../../src/cli/program.js'
import { findPython } from '../../src/cli/session.js'
import {
  fixedNames,
  flagName,
  type LoadingName,
  loadingNames,
  loadingOf,
  loadingOptions,
} from '../../src/common/model-options.js'
import { checkpointOf, checkpointSchema, decidingOf } from '../../src/experiment/loading.js'
import { studySchema } from '../../src/experiment/study-file/schema.js'

/** A value that the option takes, as a user writes it, and as it is read. */
function example(name: LoadingName): { text: string; value: string | number } {
  const { type } = loadingOptions[name]
  if (type === 'count') return { text: '2', value: 2 }
  if (type === 'size') return { text: '64x32', value: '64x32' }
  return { text: type[0], value: type[0] }
}

const all = Object.fromEntries(loadingNames.map((name) => [name, example(name).value]))
const command = (name: string) => createProgram().commands.find((one) => one.name() === name)!

describe.each(loadingNames)('the model option %s', (name) => {
  const { text, value } = example(name)
  const flag = `--${flagName(name)}`

  test.each(['generate', 'compare', 'report', 'plan', 'check-model'])('is read by %s', (of) => {
    const read = command(of)
    read.parseOptions([flag, text])
    expect(read.opts()[name]).toBe(value)
  })

  test('is read by worker start', () => {
    const start = command('worker').commands.find((one) => one.name() === 'start')!
    start.parseOptions([flag, text])
    expect(start.opts()[name]).toBe(value)
  })

  test('is a key of a study', () => {
    const study = { prompts: ['x'], policies: ['sjd'], [name]: value }
    expect(studySchema.parse(study)).toMatchObject({ [name]: value })
  })
})

test('the worker is given all of them, and knows them', async () => {
  const args = modelArgs({ ...all, checkpoint: 'x', python: 'python', device: 'cpu', dtype: 'f32' })
  expect(args).toMatchObject(all)
  const python = pathOf(findPython(undefined))
  const { stdout } = await execa(python, ['-m', 'sjd2_worker', '--help'], { cwd: workerFolder })
  for (const name of loadingNames) expect(stdout).toContain(` --${flagName(name)} `)
})

test('a run keeps those that a loaded model cannot change, as it reads them', () => {
  const kept = checkpointOf({ ...all, model: 'm' })
  expect(kept).toEqual({ model: 'm', adapter: null, size: null, ...loadingOf(all, fixedNames) })
  expect(checkpointSchema.parse(kept)).toEqual(kept)
  expect(() => checkpointSchema.parse({ ...kept, promptCells: 9 })).toThrow()
})

test('what decides pictures is said in one order, null and absent as ever: pictures are named by its hash', () => {
  expect(JSON.stringify(decidingOf(checkpointOf({})))).toBe('{"size":null}')
  expect(JSON.stringify(decidingOf(checkpointOf({ gpus: 2, quantize: 'nf4', size: '64' })))).toBe(
    '{"size":"64","quantize":"nf4"}',
  )
})
