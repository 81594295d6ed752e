import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readPrompts } from '../../src/experiment/prompts.js'

const folder = mkdtempSync(join(tmpdir(), 'prompts-'))
afterAll(() => rmSync(folder, { recursive: true }))

test.each([
  ['\n', 'Unix'],
  ['\r\n', 'Windows'],
  ['\r', 'old Macs'],
])('prompts are read with the line ends %j of %s, and a byte order mark', async (end) => {
  const file = join(folder, 'prompts.txt')
  writeFileSync(
    file,
    ['\ufeff# of mine', ' a red circle ', '', '  ', '#a blue one', 'a ring #2', ''].join(end),
  )
  expect(await readPrompts(file)).toEqual(['a red circle', 'a ring #2'])
})
