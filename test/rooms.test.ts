import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterAll, expect, test } from 'vitest'

const project = fileURLToPath(new URL('../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'rooms-'))
afterAll(() => rmSync(folder, { recursive: true }))

// Imports between the rooms of src go one way (docs/developing.md shows which); the linter holds them to it.
test('imports against the direction between rooms are refused, others are not', async () => {
  const wrong = {
    'src/numerics/x.ts': '../decoding/index.js',
    'src/decoding/x.ts': '../policies/index.js',
    'src/policies/x.ts': '../engine/index.js',
    'src/bridge/x.ts': '../engine/index.js',
    'src/engine/x.ts': '../policies/sjd2.js',
    'src/experiment/x.ts': '../cli/terminal.js',
    'src/experiment/judge/x.ts': '../../cli/terminal.js',
    'src/experiment/z.ts': '../report/table.js',
    'src/report/x.ts': '../cli/terminal.js',
    'src/report/browser/x.ts': '../../bridge/index.js',
  }
  const right = {
    'src/decoding/y.ts': '../numerics/index.js',
    'src/policies/y.ts': '../decoding/index.js',
    'src/engine/y.ts': '../bridge/index.js',
    'src/experiment/y.ts': './judge/index.js',
    'src/report/y.ts': '../experiment/summary.js',
    'src/cli/y.ts': '../experiment/images.js',
    'src/cli/z.ts': '../report/table.js',
  }
  const { vcs: _, ...rules } = JSON.parse(readFileSync(join(project, 'biome.json'), 'utf8'))
  writeFileSync(join(folder, 'biome.json'), JSON.stringify(rules))
  for (const [path, from] of Object.entries({ ...wrong, ...right })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), `import type { X } from '${from}'\nexport type Y = X\n`)
  }
  const biome = join(project, 'node_modules/@biomejs/biome/bin/biome')
  const args = [biome, 'lint', '--reporter=github', '--max-diagnostics=none']
  const { stdout } = await execa(process.execPath, args, { cwd: folder, reject: false })
  const refused = [...stdout.matchAll(/title=lint\/style\/noRestrictedImports,file=([^,]+)/g)].map(
    ([, file]) => relative(realpathSync(folder), file),
  )
  expect(refused.sort()).toEqual(Object.keys(wrong).sort())
})
