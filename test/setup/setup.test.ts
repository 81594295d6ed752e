import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { missingNodeModules } from '../../setup/node-modules.mjs'
import { DEVELOPMENT } from '../../setup/python.mjs'
import { setUpNodeModules, setUpPython } from '../../setup/setup.mjs'
import { type FakeProject, fakeProject, lockfile } from './project.js'

let project: FakeProject
const said: string[] = []
const log = (line: string) => said.push(line)

afterEach(() => {
  project.remove()
  said.length = 0
})

const setUp = (env: NodeJS.ProcessEnv = {}, python?: string, extra?: string) =>
  setUpPython({ root: project.root, env: { ...project.env, ...env }, python, log, ...(extra && { extra }) })

describe('node modules', () => {
  const run = () => setUpNodeModules({ root: project.root, env: project.env, log })

  test('are installed where there are none, and only once', async () => {
    project = fakeProject()
    await run()
    expect(project.calls()).toEqual(['npm ci --ignore-scripts --no-audit --no-fund'])
    expect(said).toHaveLength(1)
    await run()
    expect(project.calls()).toEqual([])
    expect(said).toHaveLength(1)
  })

  test('are installed again when package-lock.json asks for others', async () => {
    project = fakeProject()
    await run()
    project.write('package-lock.json', lockfile({ 'node_modules/a': '1.0.1' }))
    expect(missingNodeModules(project.root)).toEqual(['node_modules/a'])
  })

  test('of other platforms are not missed', () => {
    project = fakeProject()
    const wanted = { 'node_modules/a': '1.0.0', 'node_modules/a-mac': '1.0.0' }
    project.write('package-lock.json', lockfile(wanted, ['node_modules/a-mac']))
    project.write('node_modules/.package-lock.json', lockfile({ 'node_modules/a': '1.0.0' }))
    expect(missingNodeModules(project.root)).toEqual([])
  })

  test('left by an interrupted installation count as none', () => {
    project = fakeProject()
    project.write('node_modules/a/package.json', '{}')
    expect(missingNodeModules(project.root)).toEqual(['node_modules/a'])
  })
})

describe('the Python environment', () => {
  const pip = 'python -m pip install --disable-pip-version-check'
  const torch = `${pip} torch==2.13.0`
  const worker = `${pip} -e ./python_worker[hf]`
  const installs = () => project.calls().filter((call) => /-m (venv|pip install)/.test(call))

  test('is made once, says what it does, and is used', async () => {
    project = fakeProject()
    const python = await setUp()
    expect(python).toBe(join(project.root, '.venv', 'bin', 'python'))
    expect(installs()).toEqual(['python -m venv .venv', torch, worker])
    expect(said.join('\n')).toMatch(/1 of 3.*\n.*2 of 3: torch==2\.13\.0.*minutes.*\n.*3 of 3/)
    said.length = 0
    await setUp()
    expect(project.calls()).toEqual([])
    expect(said).toEqual([])
  })

  test('gets what tests need when they ask for it, and has then all that generating needs', async () => {
    project = fakeProject()
    await setUp()
    project.calls()
    await setUp({}, undefined, DEVELOPMENT)
    expect(installs()).toEqual([torch, `${pip} -e ./python_worker[dev]`])
    await setUp({}, undefined, DEVELOPMENT)
    await setUp()
    expect(project.calls()).toEqual([])
  })

  test('is brought up to date when what the worker needs changes', async () => {
    project = fakeProject()
    await setUp()
    project.calls()
    project.write('python_worker/pyproject.toml', 'version = 2')
    await setUp()
    expect(installs()).toEqual([torch, worker])
  })

  test('goes on where it failed', async () => {
    project = fakeProject()
    const failure = setUp({ FAIL: '*python_worker*' })
    await expect(failure).rejects.toThrow('pip could not install the worker')
    expect(installs()).toEqual(['python -m venv .venv', torch, worker])
    await setUp()
    expect(installs()).toEqual([torch, worker])
  })

  test('that was left without pip is completed', async () => {
    project = fakeProject()
    project.write('.venv/bin/python', 'half a link')
    await setUp()
    expect(installs()).toEqual(['python -m venv .venv', torch, worker])
  })

  test('whose torch was cut short gets it again', async () => {
    project = fakeProject()
    await setUp({ FAIL: '-c import torch' })
    expect(installs()).toEqual([
      'python -m venv .venv',
      torch,
      `${pip} --force-reinstall --no-deps torch==2.13.0`,
      worker,
    ])
  })

  test('that is taken away is made again', async () => {
    project = fakeProject()
    await setUp()
    project.calls()
    rmSync(join(project.root, '.venv'), { recursive: true })
    await setUp()
    expect(installs()).toHaveLength(3)
  })

  test('of an installed package is the user’s, which the next npm install leaves alone, and links nothing', async () => {
    project = fakeProject()
    rmSync(join(project.root, 'src'), { recursive: true })
    const data = join(project.root, 'home', 'data')
    expect(await setUp({ XDG_DATA_HOME: data })).toBe(join(data, 'sjd2', 'venv', 'bin', 'python'))
    expect(installs()).toEqual(['python -m venv home/data/sjd2/venv', torch, `${pip} ./python_worker[hf]`])
    await setUp({ XDG_DATA_HOME: data })
    expect(project.calls()).toEqual([])
  })

  test('needs a Python that is new enough', async () => {
    project = fakeProject({ PYTHON_VERSION: '3.9.2' })
    rmSync(join(project.root, 'path', 'npm'))
    const failure = setUp({ PATH: join(project.root, 'path') })
    await expect(failure).rejects.toMatchObject({
      message: 'No Python 3.10 or newer was found on PATH.',
      remedy: expect.stringContaining('SJD2_PYTHON='),
    })
    expect(existsSync(join(project.root, '.venv'))).toBe(false)
  })
})

describe('a Python of the user’s own', () => {
  const probe = (found: object) =>
    JSON.stringify({ python: '3.12.1', torch: '2.8.0', worker: '0.1.0', missing: [], ...found })

  test('with all that is needed is used as it is, from --python or SJD2_PYTHON', async () => {
    project = fakeProject({ PROBE: probe({}) })
    const own = join(project.root, 'path', 'python3')
    expect(await setUp({}, own)).toBe(own)
    expect(await setUp({ SJD2_PYTHON: own })).toBe(own)
    expect(project.calls().every((call) => call.includes('probe.py'))).toBe(true)
    expect(existsSync(join(project.root, '.venv'))).toBe(false)
  })

  test.each([
    [{ torch: null }, /has no torch/, /-m pip install torch==2\.13\.0/],
    [{ worker: null }, /lacks the worker/, /-m pip install -e ".*python_worker\[hf\]"/],
    [{ missing: ['pyzmq', 'msgpack'] }, /lacks pyzmq, msgpack/, /-m pip install -e/],
    [{ python: '3.8.1' }, /is Python 3\.8\.1; the worker needs 3\.10/, /Choose another/],
  ])(
    'that has %j is refused with the command that mends it, and nothing is installed',
    async (found, message, remedy) => {
      project = fakeProject({ PROBE: probe(found) })
      const own = join(project.root, 'path', 'python3')
      await expect(setUp({}, own)).rejects.toMatchObject({
        message: expect.stringMatching(message),
        remedy: expect.stringMatching(remedy),
      })
      expect(project.calls().filter((call) => call.includes('install'))).toEqual([])
    },
  )

  test('that is no Python is refused', async () => {
    project = fakeProject()
    await expect(setUp({}, '/no/python')).rejects.toThrow('/no/python is not a Python that runs.')
  })
})
