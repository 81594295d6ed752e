/** What `npm pack` makes, unpacked into a project that has nothing else but the packages that npm would install with it. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sjd2 as sjd2OfClone } from '../cli/sjd2.js'
import { python, tinyCheckpoint } from '../engine/tiny.js'

const clone = fileURLToPath(new URL('../../', import.meta.url))
const project = mkdtempSync(join(tmpdir(), 'packed-'))
const installed = join(project, 'node_modules', 'sjd2')
const checkpoint = tinyCheckpoint()
let packed: string[]

const inProject = { cwd: project, env: { SJD2_PYTHON: python, HOME: project }, reject: false } as const
const node = (...words: string[]) => execa(process.execPath, words, inProject)
const sjd2 = (...args: string[]) => node(join(installed, 'bin/sjd2.mjs'), ...args)
const write = (name: string, text: string) => writeFileSync(join(project, name), text)

beforeAll(async () => {
  await execa('npm', ['pack', '--pack-destination', project], { cwd: clone })
  mkdirSync(installed, { recursive: true })
  const { version } = JSON.parse(readFileSync(join(clone, 'package.json'), 'utf8'))
  const archive = join(project, `sjd2-${version}.tgz`)
  packed = (await execa('tar', ['xzvf', archive, '-C', installed, '--strip-components=1'])).stdout
    .split('\n')
    .map((path) => path.replace(/^package\//, ''))
  copyDependencies()
  write('package.json', '{ "type": "module" }')
  write(
    'mine.ts',
    `import { above, chain, exactPrefix, maximal, type PolicyFactory } from 'sjd2'
     const mine: PolicyFactory = (_model, { window = 8 }) => chain({
       name: 'mine', window, initialize: above, verify: maximal, prefix: exactPrefix, refine: maximal, denoise: null,
     })
     export default mine`,
  )
})

afterAll(() => {
  checkpoint.remove()
  rmSync(project, { recursive: true })
})

/** As npm does without --include=dev: what is needed only to develop sjd2 is not there. */
function copyDependencies() {
  const { packages } = JSON.parse(readFileSync(join(clone, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>
  }
  for (const [path, { dev }] of Object.entries(packages)) {
    if (path === '' || dev || !existsSync(join(clone, path))) continue
    cpSync(join(clone, path), join(project, path), { recursive: true })
  }
}

test('it holds what runs, what is read and what is owed, and nothing that tests or develops', () => {
  expect(packed).toEqual(
    expect.arrayContaining([
      ...['LICENSE', 'NOTICE', 'README.md', 'bin/sjd2.mjs', 'examples/my-policy.ts', 'setup/setup.mjs'],
      ...['dist/index.js', 'dist/index.d.ts', 'dist/numerics/kernels.wasm', 'dist/report/browser/style.css'],
      ...['python_worker/pyproject.toml', 'python_worker/sjd2_worker/schema.json'],
      'checkpoints/scenes/model.safetensors',
    ]),
  )
  expect(packed.filter((path) => /(^|\/)(src|tests?|bench|__pycache__|node_modules)\//.test(path))).toEqual(
    [],
  )
  expect(existsSync(join(project, 'node_modules/ts-node'))).toBe(false)
})

test('a program in strict TypeScript checks, compiles and draws', async () => {
  cpSync(join(installed, 'examples/embed.ts'), join(project, 'embed.ts'))
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--skipLibCheck', 'false']
  const settings = ['--target', 'es2022', '--module', 'nodenext', ...strict]
  const tsc = join(project, 'node_modules/typescript/bin/tsc')
  expect((await node(tsc, ...settings, 'embed.ts', 'mine.ts')).stdout).toBe('')
  const { stdout, stderr } = await node('embed.js')
  expect(stdout, stderr).toMatch(/the other one took \d+ passes: 27648 bytes/)
})

test('a policy of the user’s own draws what it draws in a clone, and its report says whose code it carries', async () => {
  const words = ['compare', 'mc-sjd:window=8', './mine.ts', '--scenes', '1', '--model', checkpoint.folder]
  const { stderr, exitCode } = await sjd2(...words, '--out', 'here', '--report')
  expect(exitCode, stderr).toBe(0)
  await sjd2OfClone([...words, '--out', 'there', '--report'], inProject)
  const drawn = (folder: string) =>
    readFileSync(join(project, folder, 'results.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).tokens)
  expect(drawn('here')).toEqual(drawn('there'))
  const licences = (folder: string) =>
    readFileSync(join(project, folder, 'report.html'), 'utf8').match(/Copyright[^\n<]+/g)
  expect(licences('here')?.length).toBeGreaterThan(3)
  expect(licences('here')).toEqual(licences('there'))
})

test('the manifest holds the text of an example that was run, and no commit of the user’s own repository', async () => {
  await execa('git', ['init', '-q'], inProject)
  const author = ['-c', 'user.name=x', '-c', 'user.email=x@localhost']
  await execa('git', [...author, 'commit', '-q', '--allow-empty', '-m', 'mine'], inProject)
  const picture = ['a plain red circle on a wavy white background', '--model', checkpoint.folder]
  const policy = 'node_modules/sjd2/examples/my-policy.ts'
  expect((await sjd2('generate', ...picture, '--policy', policy)).exitCode).toBe(0)
  const manifest = readFileSync(join(project, 'pictures/manifest.json'), 'utf8')
  expect(manifest).toMatch(/"git":\s*null/)
  expect(manifest, 'the whole text of the policy').toContain('function adaptiveWindow')
})

test('an error of a policy is of the class that it imports from sjd2', async () => {
  write(
    'refuses.ts',
    `import { type DecodingPolicy, PolicyError } from 'sjd2'
     throw new PolicyError('Not today.', 'Wait.')
     export default {} as DecodingPolicy`,
  )
  const { stderr } = await sjd2('generate', '--policy', './refuses.ts', '--model', checkpoint.folder)
  expect(stderr).toMatch(/^Not today\.\n {2}What to do: Wait\.$/m)
})

test('what is missing is mended by commands that an installed package has', async () => {
  const byNpx = { ...inProject, env: { SJD2_PYTHON: '', HOME: project, npm_lifecycle_event: 'npx' } }
  const npx = (...args: string[]) =>
    execa(process.execPath, [join(installed, 'bin/sjd2.mjs'), ...args], byNpx)
  expect((await npx('generate')).stderr).toMatch(/not set up yet\.\n {2}What to do: Run npx sjd2 setup/)
  expect((await npx('--help')).stdout).toContain(
    ' npx sjd2 experiment run node_modules/sjd2/examples/study.yaml',
  )
  const { stdout } = await sjd2('doctor', '--model', checkpoint.folder)
  expect(stdout).toMatch(/✓ node modules[\s\S]*✓ python[\s\S]*✓ worker and model: tiny/)
  expect((await sjd2('setup')).stdout).toBe(`The worker runs on ${python}.`)
})
