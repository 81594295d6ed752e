/** README.md and docs/: their commands are understood, their links lead somewhere, and README stays short. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { choosePolicy } from '../src/experiment/policy.js'
import { policyNames } from '../src/index.js'
import { commandLines, MISSING, mentions, misunderstood, unresolvedLinks } from './support/pages.js'
import { toy } from './support/toy-model.js'

const project = fileURLToPath(new URL('../', import.meta.url))
const markdown = (folder: string) =>
  readdirSync(join(project, folder)).flatMap((name) => (name.endsWith('.md') ? [join(folder, name)] : []))
const pages = [...markdown('.'), ...markdown('docs'), ...markdown('bench'), ...markdown('protocol')]
const text = (page: string) => readFileSync(join(project, page), 'utf8')

test('README has at most 150 lines', () => {
  expect(text('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(150)
})

test('README leads to every page of docs', () => {
  for (const page of markdown('docs')) expect(text('README.md')).toContain(`](${page})`)
})

test('the policy that README shows is one, and exact', async () => {
  const [, source] = /^```ts\n(.*?)^```/ms.exec(text('README.md')) ?? []
  const folder = mkdtempSync(join(tmpdir(), 'readme-'))
  try {
    const file = join(folder, 'shown.ts')
    writeFileSync(file, source)
    const { create } = await choosePolicy(file)
    expect(create(toy({ layout: [-1, -1, -1], rowLength: 3, codes: 4 }).model)).toMatchObject({ exact: true })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('docs/policies.md has a row for each policy', () => {
  for (const name of policyNames) expect(text('docs/policies.md')).toContain(`\n| \`${name}\` | `)
})

describe.each(pages)('%s', (page) => {
  test('its relative links resolve, headings included', () => {
    const headings = (target: string) => (existsSync(target) ? readFileSync(target, 'utf8') : null)
    const folder = dirname(join(project, page))
    const found = unresolvedLinks(text(page), (link) => headings(join(folder, link)))
    expect(found).toEqual([])
  })

  const lines = commandLines(text(page))
  test.runIf(lines.length > 0).each(lines)('the command line understands: sjd2 %s', async (line) => {
    expect(await misunderstood(line)).toEqual([])
  })

  test('the commands that its text mentions are there', async () => {
    const faults = await Promise.all(mentions(text(page)).map(misunderstood))
    expect(faults.flat().filter((fault) => fault !== MISSING)).toEqual([])
  })

  test('the programs that its commands run are there', () => {
    const programs = [...text(page).matchAll(/^.*\bbin\/typescript\.mjs +(\S+\.ts)/gm)].map(
      ([, file]) => file,
    )
    const tests = [...text(page).matchAll(/\b((?:python_worker\/)?tests?\/[\w/-]+\.(?:test\.ts|py))\b/g)]
    const files = [...programs, ...tests.map(([, file]) => file)]
    const there = (file: string) =>
      existsSync(join(project, file)) || existsSync(join(project, 'python_worker', file))
    expect(files.filter((file) => !there(file))).toEqual([])
  })
})

describe('what reads the pages', () => {
  test('finds command lines in blocks and in text, goes on behind a backslash, and leaves comments out', () => {
    const page = [
      'Say `sjd2 doctor --json` or `npx sjd2 plan`.',
      '```sh',
      'npx sjd2 generate "a red # circle" \\',
      '    --seed 7   # a comment',
      'SJD2_FLAT=150 npx sjd2 compare sjd',
      'npm start -- generate --count 2',
      '```',
    ].join('\n')
    expect(commandLines(page)).toEqual([
      'generate "a red # circle" --seed 7',
      'compare sjd',
      'generate --count 2',
    ])
    expect(mentions(page)).toEqual(['doctor --json', 'plan'])
  })

  test.each([
    ['an unknown option', 'generate --polcy sjd', ['unknown option --polcy']],
    ['an unknown command', 'polices', ['unknown command polices']],
    ['a value that an option refuses', 'generate --seed seven', [expect.stringContaining('whole number')]],
    ['a missing argument', 'replay', [MISSING]],
    ['a policy that there is not', 'compare sjd3', [expect.stringContaining('no policy "sjd3"')]],
    ['a setting that a policy has not', 'generate --policy sjd:windw=3', [expect.stringContaining('windw')]],
    ['a line that is right', 'compare sjd:window=32 sjd2 --scenes 8', []],
  ])('sees %s', async (_, line, faults) => {
    expect(await misunderstood(line)).toEqual(faults)
  })

  test('sees links to files and headings that are not there', () => {
    const files: Record<string, string> = { 'a.md': '# One `thing`, two\n' }
    const page =
      '[a](a.md) [b](b.md) [c](a.md#one-thing-two) [d](a.md#three) [e](https://example.org/x) [f](#here)\n## Here\n'
    expect(unresolvedLinks(page, (link) => files[link] ?? null)).toEqual(['b.md', 'a.md#three'])
  })
})
