/** The page's script and style, each as one piece of text that needs nothing else. */
import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const browser = fileURLToPath(new URL('browser/', import.meta.url))
const project = fileURLToPath(new URL('../../', import.meta.url))

export interface Bundle {
  readonly script: string
  /** Of the packages in the script, by name: theirs ask to travel with every copy. */
  readonly licences: ReadonlyMap<string, string>
}

/**
 * `browser/main` with all that it imports. esbuild: TypeScript and npm packages in, one small script out, in a second
 * or two, so that no bundle has to be kept beside the sources. Observable Plot: people know it, its licence is ISC,
 * with the parts of D3 that it needs it adds 0.3 MB to a page (Vega-Lite with Vega, ECharts and Plotly add two to four
 * times that), and it draws SVG, which the page's style sheet colours, light and dark.
 */
export async function bundleScript(): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    entryPoints: ['./main'], // .ts in src/, .js in dist/
    absWorkingDir: browser,
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    legalComments: 'none',
    logLevel: 'silent',
  })
  return { script: outputFiles[0].text, licences: await licencesOf(Object.keys(metafile.inputs)) }
}

/** @param inputs source files, relative to `browser/`. */
async function licencesOf(inputs: readonly string[]): Promise<Map<string, string>> {
  const folders = new Map<string, string>()
  for (const input of inputs) {
    // whole paths: an installed package's dependencies lie beside it, so relative ones need not say node_modules
    const [folder, name] = /^.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(resolve(browser, input)) ?? []
    if (folder !== undefined && join(folder, '/') !== project) folders.set(name!, folder)
  }
  const entries = [...folders].sort().map(async ([name, folder]): Promise<[string, string]> => {
    const file = (await readdir(folder)).find((other) => /^licen[cs]e/i.test(other))
    return [name, file ? await readFile(join(folder, file), 'utf8') : 'See the package.']
  })
  return new Map(await Promise.all(entries))
}

export const readStyle = (): Promise<string> => readFile(join(browser, 'style.css'), 'utf8')
