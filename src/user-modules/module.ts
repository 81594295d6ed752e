/** TypeScript files of the user's own: policies, and whatever else a program lets users write. */
import { existsSync } from 'node:fs'
import { dirname, relative, resolve, sep } from 'node:path'
import { type Blame, blaming } from './blame.js'
import type { Expected } from './expected.js'

/** A user's file and those that it imports, whole, so that they can be kept and run again. */
export interface SourceFiles {
  /** Which of the files it is that exports. */
  readonly entry: string
  /** Texts by path, with `/`, below a folder that holds them all. Packages are not among them. */
  readonly files: Readonly<Record<string, string>>
}

export interface UserModule {
  /** The file's absolute path. */
  readonly file: string
  readonly exported: unknown
  readonly source: SourceFiles
  readonly blame: Blame
}

/**
 * Loads a TypeScript file from anywhere on disk, which imports from 'sjd2' what it needs. It is type-checked by the
 * project's compiler settings before any of it runs.
 *
 * @throws what `expected.refuse` makes, with `file:line: message`, where the file does not compile, run, or export what
 *   is expected.
 */
export async function loadModule(path: string, expected: Expected): Promise<UserModule> {
  const file = resolve(path)
  const { noun, refuse } = expected
  if (!existsSync(file)) throw refuse(`There is no ${noun} file ${file}.`, 'Check the path.')
  if (!/\.m?ts$/.test(file)) {
    throw refuse(`${file} is no TypeScript file.`, `Give a ${noun} a name that ends in .ts.`)
  }
  // The compiler is loaded only here: it is large, and most runs need none.
  const [{ default: ts }, { typeCheck }, { evaluate }, library] = await Promise.all([
    import('typescript'),
    import('./type-check.js'),
    import('./evaluate.js'),
    import('../library.js'),
  ])
  const texts = typeCheck(ts, file, expected)
  const files = [...texts.keys()]
  const blame = blaming(files)
  const exports = await evaluate(file, files, library, blame, expected)
  return { file, exported: exports.default, source: sourceFiles(file, texts), blame }
}

function sourceFiles(file: string, texts: ReadonlyMap<string, string>): SourceFiles {
  const paths = [...texts.keys()].sort()
  let folder = dirname(file)
  while (paths.some((path) => !path.startsWith(folder.endsWith(sep) ? folder : folder + sep))) {
    folder = dirname(folder)
  }
  const name = (path: string) => relative(folder, path).split(sep).join('/')
  return {
    entry: name(file),
    files: Object.fromEntries(paths.map((path) => [name(path), texts.get(path) as string])),
  }
}
