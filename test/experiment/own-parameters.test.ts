import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { commandOf, type Parameters } from '../../src/experiment/parameters.js'
import { choosePolicies, choosePolicy, openOnce } from '../../src/experiment/policy.js'
import { restorePolicies } from '../../src/experiment/replay/replay.js'
import { readStudy } from '../../src/experiment/study-file/read.js'
import { Trajectory } from '../../src/index.js'
import { openPolicyFile } from '../../src/user-modules/index.js'
import { plainSampling } from '../support/fake-pass.js'
import { FakeWorker } from '../support/fake-worker.js'
import { toy } from '../support/toy-model.js'
import { run } from './records.js'

const folder = mkdtempSync(join(tmpdir(), 'own-parameters-'))
afterAll(() => rmSync(folder, { recursive: true }))
copyFileSync(fileURLToPath(new URL('../../examples/typical.ts', import.meta.url)), join(folder, 'typical.ts'))
const page = toy({ layout: Array.from({ length: 40 }, () => -1), rowLength: 8, codes: 6 })
const open = openOnce()

function tokens({ create }: { create: (typeof choice)['create'] }): number[] {
  const options = {
    model: page.model,
    policy: create(page.model),
    sampling: plainSampling,
    seed: 1,
    index: 0,
  }
  const image = new Trajectory(options)
  new FakeWorker(page).decode(image)
  return [...image.tokens]
}

const [choice, other, usual] = await choosePolicies(
  ['./typical.ts:epsilon=0.4,window=12', './typical.ts:epsilon=0,window=12', './typical.ts'],
  folder,
  open,
)

describe('a policy file with parameters of its own', () => {
  test('takes them in its specification, and they decide what it does', () => {
    expect(choice).toMatchObject({
      spec: './typical.ts:epsilon=0.4,window=12',
      overrides: { epsilon: 0.4, window: 12 },
    })
    expect(usual.overrides).toEqual({})
    expect(choice.create(page.model)).toMatchObject({ name: 'typical', exact: false })
    expect(tokens(choice)).not.toEqual(tokens(other))
  })

  test.each<[string, string, string]>([
    [
      'epsilom=0.2',
      '"epsilom" in "./typical.ts:epsilom=0.2" is no parameter of ./typical.ts.',
      'Did you mean epsilon?',
    ],
    ['init=left', '"init" in "./typical.ts:init=left" is no parameter of ./typical.ts.', 'window, epsilon'],
    ['epsilon=low', 'epsilon in "./typical.ts:epsilon=low" takes a number, not "low".', 'a number, 0 to 1'],
    ['epsilon=2', 'epsilon is 2.', 'Give a number, 0 to 1.'],
    ['window=0', 'window is 0.', 'Give a whole number, 1 or more.'],
  ])('%s is refused before anything is decoded', async (changes, message, remedy) => {
    await expect(choosePolicies([`./typical.ts:${changes}`], folder, open)).rejects.toMatchObject({
      message,
      remedy: expect.stringContaining(remedy),
    })
  })

  test('takes flags of those that it declares, and refuses the others', async () => {
    const file = join(folder, 'typical.ts')
    const { overrides } = await choosePolicy(`${file}:epsilon=0.1`, { window: 3, seed: 5 })
    expect(overrides).toEqual({ epsilon: 0.1, window: 3 })
    await expect(choosePolicy(file, { init: 'left' })).rejects.toThrow(/typical\.ts has no init\./)
  })

  test('is made again from the manifest’s copy with its parameters', async () => {
    const rows = [choice, other].map(({ spec, source, overrides }) => ({
      ...run.rows[0],
      spec,
      source,
      overrides,
    }))
    const restored = await restorePolicies({ rows })
    expect(restored.map(({ overrides }) => overrides)).toEqual([choice.overrides, other.overrides])
    expect(restored.map(tokens)).toEqual([tokens(choice), tokens(other)])
  })

  test('is asked for again with its parameters', () => {
    const { spec, overrides: parameters } = choice
    const of = { spec, policyFile: 'typical.ts', parameters, prompt: 'red', checkpoint: {}, environment: {} }
    expect(commandOf(of as unknown as Parameters)[1]).toBe(`--policy=${spec}`)
    const longer = { ...of, spec: './typical.ts:epsilon=0.40,window=12' } // as a user may write it
    expect(commandOf(longer as unknown as Parameters).slice(1, 3)).toEqual([
      `--policy=${longer.spec}`,
      '--device=cuda',
    ])
  })

  test('whose names or defaults nobody could give is refused', async () => {
    const write = (parameters: string) => {
      const file = join(folder, 'odd.ts')
      writeFileSync(
        file,
        `import { createPolicy, definePolicy, parameter } from 'sjd2'
        export default definePolicy({ parameters: ${parameters}, create: (_, model) => createPolicy('sjd', {}, model) })`,
      )
      return openPolicyFile(file)
    }
    await expect(write(`{ policy: parameter.number(1, 'x') }`)).rejects.toThrow(
      /parameter that is called "policy"/,
    )
    await expect(write(`{ 'a=b': parameter.number(1, 'x') }`)).rejects.toThrow(
      /parameter that is called "a=b"/,
    )
    await expect(write(`{ a: parameter.integer(0, 'x', { least: 1 }) }`)).rejects.toThrow(
      /by default, a is 0\./,
    )
  })

  test('gives its function values of the declared types', async () => {
    const file = join(folder, 'mistyped.ts')
    writeFileSync(
      file,
      `import { createPolicy, definePolicy, parameter } from 'sjd2'
export default definePolicy({
  parameters: { width: parameter.integer(4, 'drafts') },
  create: ({ width }, model) => createPolicy(width, {}, model),
})`,
    )
    await expect(openPolicyFile(file)).rejects.toThrow(/mistyped\.ts:4: .*number.*string/)
  })
})

describe('a study', () => {
  const read = (policies: string) => {
    const file = join(folder, 'study.yaml')
    writeFileSync(file, `prompts: [red]\npolicies:\n${policies}`)
    return readStudy(file)
  }

  test('sweeps over them', async () => {
    const { choices } = await read('  - policy: ./typical.ts\n    epsilon: [0.1, 0.2]\n    window: 8\n')
    expect(choices.map(({ spec, overrides }) => [spec, overrides])).toEqual([
      ['./typical.ts:epsilon=0.1,window=8', { epsilon: 0.1, window: 8 }],
      ['./typical.ts:epsilon=0.2,window=8', { epsilon: 0.2, window: 8 }],
    ])
  })

  test('names line and key of each that is wrong', async () => {
    const wrong = read(
      '  - policy: ./typical.ts\n    epsilom: 0.1\n    window:\n      - 3\n      - wide\n  - policy: sjd\n    windw: 3\n',
    )
    await expect(wrong).rejects.toThrow(
      /:4: policies\[0\]\.epsilom: there is no such key\. Did you mean epsilon\? It may have policy, window, epsilon\.\n/,
    )
    await expect(wrong).rejects.toThrow(/:7: policies\[0\]\.window\[1\]: it must be a number, not "wide"\.\n/)
    await expect(wrong).rejects.toThrow(
      /:9: policies\[1\]\.windw: there is no such key\. Did you mean window\?/,
    )
    await expect(read('  - { policy: ./typical.ts, epsilon: [0.1, 7] }')).rejects.toThrow(
      /:3: policies\[0\]\.epsilon: epsilon is 7\. Give a number, 0 to 1\./,
    )
  })

  test('knows scd as mc-sjd', async () => {
    const { choices } = await read('  - scd:window=3\n')
    expect(choices[0]).toMatchObject({
      spec: 'mc-sjd:window=3',
      source: { kind: 'built-in', name: 'mc-sjd' },
    })
    await expect(read('  - scd\n  - mc-sjd\n')).rejects.toThrow(/mc-sjd is there twice/)
  })
})
