import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type ImageState,
  loadPolicyFile,
  PolicyError,
  type PolicyFactory,
  policyNames,
} from '../../src/index.js'
import { decodeToy, testDistribution } from '../support/exactness.js'
import { plainSampling, start } from '../support/fake-pass.js'
import { conditionalOf, enumerate, toy } from '../support/toy-model.js'

const project = fileURLToPath(new URL('../..', import.meta.url))
const example = join(project, 'examples/my-policy.ts')
const page = toy({ layout: Array.from({ length: 20 }, () => -1), rowLength: 5, codes: 4 })

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sjd2-policy-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

function write(name: string, text: string): string {
  const file = join(folder, name)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return file
}

async function failure(promise: Promise<unknown>): Promise<PolicyError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(PolicyError)
  return error as PolicyError
}

const PIECES = `
import { chain, exactPrefix, gumbel, random } from 'sjd2'
const pieces = { window: 4, initialize: random, verify: gumbel, refine: gumbel, prefix: exactPrefix, denoise: null }
`

describe('the example', () => {
  let factory: PolicyFactory
  beforeAll(async () => {
    factory = await loadPolicyFile(example)
  })

  test('loads, is exact, and decodes', () => {
    const policy = factory(page.model, {})
    expect(policy).toMatchObject({ name: 'my-policy', exact: true, noisy: false })
    const { image, worker } = start(page, { policy })
    worker.decode(image)
    expect(image.done).toBe(true)
    expect(worker.passes).toBeLessThan(20)
  })

  test('narrows its window when little is accepted, widens it when much is', () => {
    const policy = factory(page.model, { window: 40 })
    const window = (history: number[]) => {
      const asked: number[] = []
      const upcoming = (count: number) => {
        asked.push(count)
        return []
      }
      policy.schedule({ history, upcoming, drafts: [] } as unknown as ImageState)
      return asked[0]
    }
    expect(window([])).toBe(40)
    expect(window([1, 1, 1])).toBe(12)
    expect(window([5, 5, 5])).toBe(30)
    expect(window([20, 20, 1, 1, 1, 1, 1, 1])).toBe(12)
  })

  test('draws from the true distribution (4,000 images; fails for 1 seed in 100,000)', async () => {
    const small = toy({ layout: Array.from({ length: 6 }, () => -1), rowLength: 2, codes: 2 })
    const truth = await enumerate(small.model, conditionalOf(small, 1), plainSampling)
    const decode = decodeToy(small, factory(small.model, {}), plainSampling, 11)
    expect((await testDistribution(decode, truth, 4000)).pValue).toBeGreaterThan(1e-5)
  })

  test('refuses options that it does not know', () => {
    expect(() => factory(page.model, { levels: 3 })).toThrow('widest window only')
  })

  test('loads under ts-node as under vitest, from any folder', async () => {
    const script = `
      import { loadPolicyFile, policyNames } from ${JSON.stringify(join(project, 'src/index.ts'))}
      const factory = await loadPolicyFile(process.argv[2])
      const model = { image: { first: 0, count: 2 }, layout: Int32Array.of(-1, -1), rowLength: 2, denoising: null,
        embeddings: { table: new Float32Array(2), width: 1, deviation: Float32Array.of(1) } }
      console.log(JSON.stringify([factory(model, {}).name, policyNames.length]))
    `
    const file = join(folder, 'run.mjs')
    writeFileSync(file, script)
    const compiler = join(project, 'bin/typescript.mjs')
    const { stdout } = await execa('node', ['--no-warnings', '--import', compiler, file, example], {
      cwd: folder,
    })
    expect(JSON.parse(stdout)).toEqual(['my-policy', policyNames.length])
  })
})

describe('a file anywhere on disk', () => {
  test('may export a finished policy', async () => {
    const file = write('finished.ts', `${PIECES}export default chain({ ...pieces, name: 'finished' })`)
    const factory = await loadPolicyFile(file)
    expect(factory(page.model, {}).name).toBe('finished')
    expect(() => factory(page.model, { window: 3 })).toThrow('window cannot change it')
  })

  test('may import files beside it, packages of Node, and types', async () => {
    write('lib/names.ts', `import { basename } from 'node:path'\nexport const name = basename('/a/helped')\n`)
    write(
      'lib/same.ts',
      `import type { DecodingPolicy } from 'sjd2'\nexport const same = (p: DecodingPolicy) => p\n`,
    )
    const file = write(
      'helped.mts',
      `${PIECES}import { name } from './lib/names.js'\nimport { same } from './lib/same'\n` +
        'export default () => same(chain({ ...pieces, name }))',
    )
    expect((await loadPolicyFile(file))(page.model, {}).name).toBe('helped')
  })

  test('is loaded as it is now, and so are those that it imports', async () => {
    write('now/name.ts', `export const name = 'before'\n`)
    const file = write(
      'now/policy.ts',
      `${PIECES}import { name } from './name.js'\nexport default chain({ ...pieces, name })`,
    )
    expect((await loadPolicyFile(file))(page.model, {}).name).toBe('before')
    write('now/name.ts', `export const name = 'after'\n`)
    expect((await loadPolicyFile(file))(page.model, {}).name).toBe('after')
  })

  test('may await, and a file that two others import runs once', async () => {
    write('once/state.ts', 'export const state = { runs: 0 }\n')
    write('once/other.ts', `import { state } from './state.js'\nstate.runs++\n`)
    const file = write(
      'once/policy.ts',
      `${PIECES}import { state } from './state.js'\nimport './other.js'\n` +
        'const runs = await Promise.resolve(state.runs)\n' +
        'export default chain({ ...pieces, name: "once-" + runs })',
    )
    expect((await loadPolicyFile(file))(page.model, {}).name).toBe('once-1')
  })

  test('shares its classes with the program', async () => {
    const file = write(
      'refusing.ts',
      `import { PolicyError, type PolicyFactory } from 'sjd2'
      const refusing: PolicyFactory = () => { throw new PolicyError('No.', 'None.') }
      export default refusing`,
    )
    const factory = await loadPolicyFile(file)
    expect(() => factory(page.model, {})).toThrow(PolicyError)
  })

  test('may name things that it does not use', async () => {
    const file = write(
      'unused.ts',
      `${PIECES}const unused = 1\nexport default chain({ ...pieces, name: 'unused' })`,
    )
    await expect(loadPolicyFile(file)).resolves.toBeTypeOf('function')
  })
})

describe('what is refused, by file and line, before any of it runs', () => {
  test.each<[string, string, RegExp]>([
    ['syntax.ts', `${PIECES}export default chain({ ...pieces name: 'x' })`, /syntax\.ts:4: .*expected/],
    [
      'type.ts',
      `${PIECES}export default chain({ ...pieces, name: 'x', window: 'wide' })`,
      /type\.ts:4: .*string/,
    ],
    ['missing.ts', `${PIECES}export default chain({ ...pieces })`, /missing\.ts:4: .*ChainPieces/],
    [
      'none.ts',
      `${PIECES}export const policy = chain({ ...pieces, name: 'x' })`,
      /none\.ts.* default export/,
    ],
    ['number.ts', 'export default 3', /number\.ts:1: its default export is no policy/],
    ['import.ts', `import { maximum } from 'sjd2'\nexport default maximum`, /import\.ts:1: .*maximum/],
    ['package.ts', `import it from 'no-such-package'\nexport default it`, /package\.ts:1: .*no-such-package/],
    ['any.ts', 'export default (model) => model', /any\.ts:1: .*implicitly.*any/],
  ])('%s', async (name, text, message) => {
    const marked = `${text}\n;(globalThis as Record<string, unknown>).sjd2TestRan = ${JSON.stringify(name)}\n`
    const error = await failure(loadPolicyFile(write(name, marked)))
    expect(error.message).toMatch(message)
    expect(error.remedy).not.toBe('')
    expect(Reflect.get(globalThis, 'sjd2TestRan')).toBeUndefined()
  })

  test('an error in a file that it imports', async () => {
    write('lib/broken.ts', 'export const width: number = "three"\n')
    const file = write(
      'uses.ts',
      `${PIECES}import { width } from './lib/broken.js'\nexport default chain({ ...pieces, name: 'x', window: width })`,
    )
    expect((await failure(loadPolicyFile(file))).message).toMatch(/broken\.ts:1: /)
  })

  test('a file that is not there, and one that is no TypeScript', async () => {
    expect((await failure(loadPolicyFile(join(folder, 'absent.ts')))).message).toContain('no policy file')
    expect((await failure(loadPolicyFile(write('policy.py', 'pass')))).message).toContain('no TypeScript')
  })
})

test('a file that throws while it loads', async () => {
  const file = write(
    'throws.ts',
    `${PIECES}if (pieces.window > 3) throw new Error('too wide')\nexport default chain({ ...pieces, name: 'x' })`,
  )
  expect((await failure(loadPolicyFile(file))).message).toMatch(/throws\.ts:4:\d+ failed.*too wide/)
})

describe('a mistake while it decides is told by decision, file and line', () => {
  // a type takes lines of the file, and none of what runs
  const TYPE = 'interface Sizes {\n  readonly of: Record<string, { size: number }>\n}\n'
  const THROWING = `${TYPE}const sizes = {} as Record<string, { size: number }>\n`

  test.each([
    ['schedule', 'window: ({ passes }) => sizes[passes].size'],
    ['verify', "verify: { ...gumbel, draw: () => sizes['x'].size as never }"],
    ['refine', "refine: { ...gumbel, draw: () => sizes['x'].size as never }"],
  ])('in %s', async (decision, change) => {
    const text = `${PIECES}${THROWING}export default chain({\n  ...pieces,\n  name: 'x',\n  ${change},\n})\n`
    const file = write(`wrong-${decision}.ts`, text)
    const policy = (await loadPolicyFile(file))(page.model, {})
    const decode = () => {
      const { image, worker } = start(page, { policy })
      worker.decode(image)
    }
    expect(decode).toThrow(PolicyError)
    expect(decode).toThrow(
      new RegExp(`x failed in ${decision}, at .*wrong-${decision}\\.ts:11:\\d+: TypeError`),
    )
  })

  test('in a file that it imports, and while the policy is made', async () => {
    write(
      'lib/making.ts',
      `${TYPE}export const make = (n?: number): number => {\n  throw new RangeError(\`no \${n}\`)\n}\n`,
    )
    const file = write(
      'made.ts',
      `${PIECES}import { make } from './lib/making.js'\nexport default () => chain({ ...pieces, name: 'x', window: make() })`,
    )
    const factory = await loadPolicyFile(file)
    expect(() => factory(page.model, {})).toThrow(
      /could not be made, at .*making\.ts:5:\d+: RangeError: no undefined/,
    )
  })

  test('what says itself what to do stays as it is', async () => {
    const file = write(
      'asking.ts',
      `${PIECES}import { PolicyError } from 'sjd2'
      export default chain({ ...pieces, name: 'x', window: () => { throw new PolicyError('Too few.', 'More.') } })`,
    )
    const policy = (await loadPolicyFile(file))(page.model, {})
    expect(() => start(page, { policy })).toThrow(/^Too few\.$/)
  })
})

test('a factory that returns no policy after all', async () => {
  const file = write(
    'cast.ts',
    `import type { DecodingPolicy } from 'sjd2'\nexport default () => ({ name: 'x' }) as DecodingPolicy`,
  )
  const factory = await loadPolicyFile(file)
  expect(() => factory(page.model, {})).toThrow('gave no DecodingPolicy')
})

test('a policy that feeds noise, for a checkpoint that cannot read it', async () => {
  const file = write(
    'noisy.ts',
    `${PIECES}import { denoiseByPasses, gaussian } from 'sjd2'
    export default chain({ ...pieces, name: 'noisy', initialize: gaussian(2), denoise: denoiseByPasses(2) })`,
  )
  const factory = await loadPolicyFile(file)
  expect(factory(page.model, {}).noisy).toBe(true)
  expect(() => factory({ ...page.model, denoising: null }, {})).toThrow('not trained')
})
