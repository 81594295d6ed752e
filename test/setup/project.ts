/** A project folder whose Python and npm are scripts that write down how they are called. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { script } from '../faults/processes.js'

/** Answers as a Python of version $PYTHON_VERSION that can make virtual environments, which are copies of itself. */
const PYTHON = [
  'echo "python $*" >> "$CALLS"',
  'case "$*" in',
  '  *platform.python_version*) echo "$PYTHON_VERSION" ;;',
  '  "-m venv "*) mkdir -p "$3/bin" && rm -f "$3/bin/python" && cp "$0" "$3/bin/python" ;;',
  '  *probe.py*) echo "$PROBE" ;;',
  'esac',
  'case "$*" in $FAIL) echo "no route to host" >&2; exit 1 ;; esac',
]

/** Writes what npm writes at the end of an installation. */
const NPM = [
  'echo "npm $*" >> "$CALLS"',
  'mkdir -p node_modules && cp package-lock.json node_modules/.package-lock.json',
]

export interface FakeProject {
  readonly root: string
  readonly env: NodeJS.ProcessEnv
  /** What was called since this was asked last. */
  calls(): string[]
  write(path: string, text: string): void
  remove(): void
}

export function fakeProject(env: Record<string, string> = {}): FakeProject {
  const root = mkdtempSync(join(tmpdir(), 'setup-'))
  const calls = join(root, 'calls')
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  mkdirSync(join(root, 'path'))
  script(join(root, 'path', 'python3'), ...PYTHON)
  script(join(root, 'path', 'npm'), ...NPM)
  write('package.json', '{ "version": "1.0.0" }')
  write('src/index.ts', '') // a clone
  write('python_worker/pyproject.toml', 'version = 1')
  write('package-lock.json', lockfile({ 'node_modules/a': '1.0.0' }))
  return {
    root,
    env: {
      PATH: [join(root, 'path'), '/usr/bin', '/bin'].join(delimiter),
      CALLS: calls,
      FAIL: 'nothing',
      PYTHON_VERSION: '3.11.7',
      ...env,
    },
    calls() {
      const lines = existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n') : []
      rmSync(calls, { force: true })
      return lines
    },
    write,
    remove: () => rmSync(root, { recursive: true }),
  }
}

/** A package-lock.json with these packages. */
export const lockfile = (versions: Record<string, string>, optional: readonly string[] = []): string =>
  JSON.stringify({
    packages: {
      '': { name: 'project' },
      ...Object.fromEntries(
        Object.entries(versions).map(([name, version]) => [
          name,
          { version, ...(optional.includes(name) && { optional: true }) },
        ]),
      ),
    },
  })
