import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { sjd2 } from '../cli/sjd2.js'
import { tinyCheckpoint } from '../engine/tiny.js'

const checkpoint = tinyCheckpoint()
const folder = mkdtempSync(join(tmpdir(), 'failed-'))
const file = join(folder, 'fails.ts')

afterAll(() => {
  checkpoint.remove()
  rmSync(folder, { recursive: true })
})

/** Sequential decoding that fails over the second image it sees, in its third pass. */
const failing = `import { type ImageState, type PolicyFactory, createPolicy } from 'sjd2'
const seen: ImageState[] = []
const policy: PolicyFactory = (model) => {
  const whole = createPolicy('autoregressive', {}, model)
  return {
    ...whole,
    name: 'fails',
    schedule(image) {
      if (!seen.includes(image)) seen.push(image)
      if (seen[1] === image && image.passes === 2) throw new Error('the second one breaks')
      return whole.schedule(image)
    },
  }
}
export default policy
`

test('an image that fails is told at the end, with its reason; the others are kept, and the same command makes it', async () => {
  writeFileSync(file, failing)
  const args = ['generate', 'red circle', '--count', '3', '--policy', file, '--model', checkpoint.folder]
  const out = ['--out', join(folder, 'out')]
  const broken = await sjd2([...args, ...out])
  expect(broken.exitCode).toBe(1)
  expect(broken.stderr).toContain('1 of 3 images failed; the others are kept.')
  expect(broken.stderr).toMatch(/seed 0 index 1 "red circle": .*the second one breaks/)
  const results = () =>
    readFileSync(join(folder, 'out', 'results.jsonl'), 'utf8')
      .trim()
      .split('\n')
  expect(results().map((line) => JSON.parse(line).index)).toEqual([0, 2])
  // alone, it is the first that the policy sees
  const again = await sjd2([...args, ...out])
  expect(again.stderr).not.toContain('failed')
  expect(again.exitCode).toBe(0)
  expect(results().map((line) => JSON.parse(line).index)).toEqual([0, 1, 2])
})
