/** The scripts as npm runs them, in a copy of the project that has nothing installed. */
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterEach, expect, test, vi } from 'vitest'
import { ended, script } from '../faults/processes.js'
import { type FakeProject, fakeProject } from './project.js'

let project: FakeProject
afterEach(() => project.remove())

const here = fileURLToPath(new URL('../../', import.meta.url))

/** A fresh clone as far as npm start goes; its sjd2 prints its arguments. */
function freshClone(env: Record<string, string> = {}) {
  project = fakeProject(env)
  cpSync(join(here, 'setup'), join(project.root, 'setup'), { recursive: true })
  mkdirSync(join(project.root, 'bin'))
  writeFileSync(join(project.root, 'bin/sjd2.mjs'), 'console.log(JSON.stringify(process.argv.slice(2)))')
}

const run = (file: string, args: readonly string[] = []) =>
  execa(process.execPath, [file, ...args], {
    cwd: project.root,
    env: project.env,
    extendEnv: false,
    reject: false,
  })

const start = (args: readonly string[]) => run('setup/start.mjs', args)

test('npm start sets up, then runs the command; standard output is the command’s alone', async () => {
  freshClone()
  const { stdout, stderr, exitCode } = await start(['generate', 'a red circle', '--json'])
  expect(exitCode).toBe(0)
  expect(stdout).toBe('["generate","a red circle","--json"]')
  expect(stderr).toMatch(/installing node modules[\s\S]*\.venv[\s\S]*Set-up is complete/)
  expect((await start([])).stderr).toBe('')
})

test.each([
  ['start', 'hf'],
  ['test', 'dev'],
  ['check', 'dev'],
])('npm %s installs the extra %s of the worker', async (name, extra) => {
  freshClone()
  await run(`setup/${name}.mjs`)
  const installed = project.calls().flatMap((call) => call.match(/python_worker\[.*\]/) ?? [])
  expect(installed).toEqual([`python_worker[${extra}]`])
})

test('npm start with a Python of one’s own makes no environment', async () => {
  freshClone({ PROBE: JSON.stringify({ python: '3.12.1', torch: '2.8.0', worker: '0.1.0', missing: [] }) })
  for (const option of [['--python', 'python3'], ['--python=python3']]) {
    expect(await start(['generate', ...option])).toMatchObject({
      exitCode: 0,
      stderr: expect.not.stringContaining('.venv'),
    })
  }
  expect(existsSync(join(project.root, '.venv'))).toBe(false)
})

test('from a folder below, paths are meant from there, and set-up is the project’s', async () => {
  freshClone()
  writeFileSync(join(project.root, 'bin/sjd2.mjs'), 'console.log(process.cwd())')
  const below = join(project.root, 'below')
  mkdirSync(below)
  // as npm calls the script
  const npm = (values: Record<string, string>) =>
    execa(process.execPath, [join(project.root, 'setup/start.mjs')], {
      cwd: project.root,
      env: { ...project.env, INIT_CWD: below, ...values },
      extendEnv: false,
    })
  expect((await npm({ npm_lifecycle_event: 'start' })).stdout).toBe(realpathSync(below))
  expect(existsSync(join(below, '.venv'))).toBe(false)
  // inherited by a script of the user's, it says nothing of where this was called
  expect((await npm({ npm_lifecycle_event: 'study' })).stdout).toBe(realpathSync(project.root))
})

test('help and doctor answer without a Python', async () => {
  freshClone()
  for (const args of [['--help'], ['doctor']]) expect((await start(args)).stdout).toBe(JSON.stringify(args))
  expect(project.calls().filter((call) => call.startsWith('python'))).toEqual([])
})

test('a step that fails ends npm start with its message and nothing run', async () => {
  freshClone({ FAIL: '*torch==*' })
  const { stdout, stderr, exitCode } = await start([])
  expect(stderr).toMatch(/no route to host\n+pip could not install torch==2\.13\.0[\s\S]*What to do: /)
  expect(stdout).toBe('')
  expect(exitCode).toBe(1)
})

test('interrupted, it ends the step and says how to go on', async () => {
  freshClone()
  const pid = join(project.root, 'pid')
  script(
    join(project.root, 'path', 'npm'),
    `echo $$ > "${pid}.new" && mv "${pid}.new" "${pid}"`,
    'exec sleep 1000',
  )
  const started = start([])
  await vi.waitFor(() => expect(existsSync(pid)).toBe(true), { timeout: 60_000 })
  started.kill('SIGTERM')
  const { exitCode, stderr } = await started
  expect(exitCode).toBe(130)
  expect(stderr).toMatch(/Set-up was interrupted\.\n {2}What to do: Run the same command again/)
  await ended(Number(readFileSync(pid, 'utf8')))
})
