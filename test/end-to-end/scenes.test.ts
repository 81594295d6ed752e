import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { sjd2 } from '../cli/sjd2.js'

const folder = mkdtempSync(join(tmpdir(), 'scenes-'))
afterAll(() => rmSync(folder, { recursive: true }))

// The policy and the checkpoint that a new user meets. How well both do is measured by `sjd2 compare`; here they must work.
test('the bundled checkpoint draws a scene by the default policy in far fewer passes than tokens', async () => {
  const prompt = 'a plain red circle on a plain blue background'
  const { stdout, stderr, exitCode } = await sjd2(['generate', prompt, '--json', '--out', folder])
  expect(exitCode, stderr).toBe(0)
  const image = JSON.parse(stdout)
  expect(image).toMatchObject({ prompt, policy: 'sjd2', exact: true })
  expect(image.tokens).toHaveLength(576)
  expect(image.compression).toBeGreaterThan(3)
  expect(stderr).not.toContain('does not know')
})
