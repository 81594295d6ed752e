import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { generateMessages } from '../../src/bridge/generate.js'

test('the types of the messages are those of protocol/schema.json (`npm run protocol` makes them)', async () => {
  const written = await readFile(new URL('../../src/bridge/messages.generated.ts', import.meta.url), 'utf8')
  expect(written).toBe(await generateMessages())
})
