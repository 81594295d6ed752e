/** The page's script and style, each as one piece of text that needs nothing else. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const browser = new URL('browser/', import.meta.url)

/**
 * `browser/main.ts` with all that it imports. esbuild: TypeScript and npm packages in, one small script out, in a tenth
 * of a second, so that nothing built has to be kept beside the sources.
 */
export async function bundleScript(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('main.ts', browser))],
    bundle: true,
    write: false,
    minify: true,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    legalComments: 'none',
    logLevel: 'silent',
  })
  return outputFiles[0].text
}

export const readStyle = (): Promise<string> => readFile(new URL('style.css', browser), 'utf8')
