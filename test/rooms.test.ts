import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterAll, expect, test } from 'vitest'

const project = fileURLToPath(new URL('../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'rooms-'))
afterAll(() => rmSync(folder, { recursive: true }))

interface Cruised {
  readonly summary: {
    readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[]
  }
}

/** The files of `imports`, each of which imports a type from another, that `npm run check` refuses, with the rules' names. */
async function refused(imports: Readonly<Record<string, string>>): Promise<Record<string, string[]>> {
  rmSync(join(folder, 'src'), { recursive: true, force: true })
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  for (const [path, from] of Object.entries(imports)) {
    write(join(dirname(path), from.replace(/\.js$/, '.ts')), 'export type X = 1\n')
  }
  for (const [path, from] of Object.entries(imports)) {
    write(path, `import type { X } from '${from}'\nexport type Y = X\n`)
  }
  write('tsconfig.json', '{ "compilerOptions": { "module": "NodeNext", "moduleResolution": "NodeNext" } }')
  const cruise = join(project, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs')
  const args = [cruise, '--config', join(project, '.dependency-cruiser.cjs'), '--output-type', 'json', 'src']
  const { stdout } = await execa(process.execPath, args, { cwd: folder, reject: false })
  const { summary } = JSON.parse(stdout) as Cruised
  const found: Record<string, string[]> = {}
  for (const { from, rule } of summary.violations) found[from] = [...(found[from] ?? []), rule.name].sort()
  return found
}

// Imports between the rooms of src go one way (.dependency-cruiser.cjs says which); `npm run check` holds them to it.
test('imports against the direction between rooms are refused, others are not', async () => {
  const wrong = {
    'src/common/x.ts': '../numerics/index.js',
    'src/numerics/x.ts': '../decoding/index.js',
    'src/decoding/x.ts': '../policies/index.js',
    'src/policies/x.ts': '../user-modules/index.js',
    'src/bridge/x.ts': '../engine/index.js',
    'src/engine/x.ts': '../policies/index.js',
    'src/user-modules/x.ts': '../experiment/index.js',
    'src/experiment/x.ts': '../cli/index.js',
    'src/judge/x.ts': '../experiment/index.js',
    'src/experiment/metrics/x.ts': '../../cli/index.js',
    'src/experiment/z.ts': '../report/index.js',
    'src/report/x.ts': '../cli/index.js',
    'src/report/browser/x.ts': '../../bridge/index.js',
    'src/engine/z.ts': '../library.js',
  }
  const right = {
    'src/decoding/y.ts': '../numerics/index.js',
    'src/policies/y.ts': '../decoding/index.js',
    'src/engine/y.ts': '../bridge/index.js',
    'src/user-modules/y.ts': '../library.js',
    'src/experiment/y.ts': '../judge/index.js',
    'src/experiment/metrics/y.ts': '../rows.js',
    'src/report/y.ts': '../experiment/index.js',
    'src/cli/y.ts': '../experiment/index.js',
    'src/cli/z.ts': '../report/index.js',
    'src/bridge/z.ts': '../common/z.js',
  }
  expect(Object.keys(await refused({ ...wrong, ...right })).sort()).toEqual(Object.keys(wrong).sort())
})

test('what a room keeps to itself is refused to others, however deep it lies', async () => {
  const found = await refused({
    'src/engine/x.ts': '../decoding/lent.js',
    'src/cli/x.ts': '../experiment/study-file/read.js',
    'src/cli/y.ts': '../experiment/study-file/index.js',
    'src/index.ts': './decoding/chain.js',
    'src/experiment/study-file/read.ts': '../error.js',
  })
  expect(found).toEqual({
    'src/engine/x.ts': ['by-the-index'],
    'src/cli/x.ts': ['by-the-index'],
    'src/cli/y.ts': ['by-the-index'],
    'src/index.ts': ['library-by-the-index'],
  })
})

test('a circle is refused, though it is of types alone', async () => {
  const found = await refused({
    'src/cli/x.ts': './y.js',
    'src/cli/y.ts': './z.js',
    'src/cli/z.ts': './x.js',
  })
  expect(new Set(Object.values(found).flat())).toEqual(new Set(['no-circle']))
})
