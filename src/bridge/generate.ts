/** Writes `messages.generated.ts` from `protocol/schema.json`: `npm run protocol`. */
import { readFile, writeFile } from 'node:fs/promises'
import { argv } from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { compile } from 'json-schema-to-typescript'

const schema = new URL('../../protocol/schema.json', import.meta.url)
const generated = new URL('./messages.generated.ts', import.meta.url)

/** The TypeScript types of all message heads, as source text. */
export async function generateMessages(): Promise<string> {
  return compile(JSON.parse(await readFile(schema, 'utf8')), 'Message', {
    bannerComment: '// Generated from protocol/schema.json by `npm run protocol`: do not edit.',
    ignoreMinAndMaxItems: true,
    style: { semi: false, singleQuote: true, printWidth: 110 },
  })
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) {
  await writeFile(generated, await generateMessages())
  console.error(`wrote ${fileURLToPath(generated)}`)
}
