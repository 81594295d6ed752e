import { readFileSync } from 'node:fs'
import { createRequire, isBuiltin, type SourceMapPayload } from 'node:module'
import { pathToFileURL } from 'node:url'
import { compileFunction } from 'node:vm'
import type ts from 'typescript'
import { PolicyError } from '../decoding/index.js'
import { type Blame, blaming } from './blame.js'
import type { Expected } from './expected.js'

/** A module's exports by name. */
type Exports = Record<string, unknown>

/** A module that was run. */
export interface Evaluated {
  readonly exports: Exports
  readonly blame: Blame
}

/**
 * Runs a type-checked TypeScript module and the files it imports, independently of whatever loads this
 * program's own TypeScript. 'sjd2' is `library`: the very objects that the program uses. Packages are
 * resolved from the file.
 *
 * @throws what `refuse` makes where it throws while it is loaded; a PolicyError of its own as it is.
 */
export async function evaluate(
  compiler: typeof ts,
  file: string,
  options: ts.CompilerOptions,
  library: Exports,
  { refuse }: Expected,
): Promise<Evaluated> {
  const sources = new Map<string, string>()
  const maps = new Map<string, SourceMapPayload>()
  const blame = blaming(maps)
  const imported = new Map<string, Exports>([['sjd2', library]])

  /** The file that a relative import means; undefined for a package. */
  const fileOf = (specifier: string, from: string) =>
    /^[./]/.test(specifier)
      ? compiler.resolveModuleName(specifier, from, options, compiler.sys).resolvedModule?.resolvedFileName
      : undefined

  /** Transpiles a file and all it imports, and imports the packages among them. */
  async function gather(path: string): Promise<void> {
    if (sources.has(path)) return
    const { javascript, map } = transpile(compiler, path, options)
    sources.set(path, javascript)
    maps.set(path, map)
    for (const { fileName } of compiler.preProcessFile(javascript, true, true).importedFiles) {
      const local = fileOf(fileName, path)
      if (local !== undefined) await gather(local)
      else if (!imported.has(fileName)) imported.set(fileName, await importPackage(fileName, path))
    }
  }

  const modules = new Map<string, { exports: Exports }>()

  function run(path: string): Exports {
    const known = modules.get(path)
    if (known !== undefined) return known.exports
    const module = { exports: {} as Exports }
    modules.set(path, module)
    const require = (specifier: string) => {
      const local = fileOf(specifier, path)
      return local === undefined ? { __esModule: true, ...imported.get(specifier) } : run(local)
    }
    const body = compileFunction(sources.get(path) as string, ['require', 'module', 'exports'], {
      filename: path,
    })
    body(require, module, module.exports)
    return module.exports
  }

  try {
    await gather(file)
    return { exports: run(file), blame }
  } catch (error) {
    if (error instanceof PolicyError) throw error
    throw refuse(`${blame(error) ?? file} failed while it was loaded: ${String(error)}`, 'Mend the file.')
  }
}

function transpile(
  compiler: typeof ts,
  path: string,
  options: ts.CompilerOptions,
): { javascript: string; map: SourceMapPayload } {
  const { outputText, sourceMapText } = compiler.transpileModule(readFileSync(path, 'utf8'), {
    // By its extension alone, .mts would stay an ES module.
    fileName: path.replace(/\.mts$/, '.ts'),
    compilerOptions: {
      ...options,
      module: compiler.ModuleKind.CommonJS,
      noEmit: false,
      sourceMap: true,
      inlineSourceMap: false,
    },
  })
  return { javascript: outputText, map: JSON.parse(sourceMapText as string) }
}

async function importPackage(specifier: string, from: string): Promise<Exports> {
  if (isBuiltin(specifier)) return import(specifier)
  return import(pathToFileURL(createRequire(from).resolve(specifier)).href)
}
