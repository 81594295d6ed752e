import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type ts from 'typescript'
import type { Expected } from './expected.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** This library's folder: `src/` in a clone, `dist/`, with declarations, in an installed package. */
const library = fileURLToPath(new URL('..', import.meta.url))
/** What of this project a user's file reaches through 'sjd2': the library, and what it asks of set-up. */
const ours = [library, join(root, 'setup/')]
const entry = [join(library, 'index.ts'), join(library, 'index.d.ts')].find(existsSync) as string
/** npm installs packages beside this one or in it. */
const nodeTypes = createRequire(import.meta.url).resolve('@types/node/package.json')

/**
 * Type-checks a user's file, under the project's compiler settings but for what is a matter of taste (unused
 * names) and of where the file lies: it is read as an ES module, and 'sjd2' is this project, wherever that
 * is.
 *
 * @returns the texts of the file and of the files that it imports, by path.
 * @throws what `expected.refuse` makes, naming file and line of each error.
 */
export function typeCheck(
  compiler: typeof ts,
  file: string,
  expected: Expected,
): ReadonlyMap<string, string> {
  const options = compilerOptions(compiler)
  const check = `${file}.check.ts`
  const host = withFile(compiler, options, check, checkOf(file, expected))
  const program = compiler.createProgram([file, check], options, host)
  const sources = program
    .getSourceFiles()
    .filter(
      ({ isDeclarationFile, fileName }) =>
        !isDeclarationFile && (fileName === file || !ours.some((folder) => fileName.startsWith(folder))),
    )
  const errors = sources.flatMap((source) => [
    ...program.getSyntacticDiagnostics(source),
    ...program.getSemanticDiagnostics(source),
  ])
  if (errors.length > 0) {
    throw expected.refuse(
      errors.map((error) => describe(compiler, error, file, check, expected)).join('\n'),
      `Mend the file; nothing of it was run. The types of what it imports are in ${join(library, 'decoding')}.`,
    )
  }
  // a package's sources are deeper in node_modules than the file, which may be one of sjd2's examples
  const depth = (path: string) => path.lastIndexOf('/node_modules/')
  const own = sources.filter(({ fileName }) => fileName !== check && depth(fileName) <= depth(file))
  return new Map(own.map(({ fileName, text }) => [fileName, text]))
}

function compilerOptions(compiler: typeof ts): ts.CompilerOptions {
  const { config } = compiler.readConfigFile(join(root, 'tsconfig.json'), compiler.sys.readFile)
  const project = compiler.convertCompilerOptionsFromJson(config.compilerOptions, root).options
  return {
    ...project,
    module: compiler.ModuleKind.ESNext,
    moduleResolution: compiler.ModuleResolutionKind.Bundler,
    paths: { sjd2: [entry] },
    typeRoots: [dirname(dirname(nodeTypes))],
    allowImportingTsExtensions: true,
    verbatimModuleSyntax: false,
    noUnusedLocals: false,
    noUnusedParameters: false,
    noEmit: true,
  }
}

/** A program's text that compiles iff the file's default export is of an expected type. */
function checkOf(file: string, { types }: Expected): string {
  return [
    `import type { ${types.join(', ')} } from 'sjd2'`,
    `import exported from ${JSON.stringify(file)}`,
    `const checked: ${types.join(' | ')} = exported`,
    'void checked',
  ].join('\n')
}

/** A host that reads from disk, but for one file whose text is given. */
function withFile(
  compiler: typeof ts,
  options: ts.CompilerOptions,
  file: string,
  text: string,
): ts.CompilerHost {
  const host = compiler.createCompilerHost(options)
  return {
    ...host,
    fileExists: (name) => name === file || host.fileExists(name),
    readFile: (name) => (name === file ? text : host.readFile(name)),
    getSourceFile: (name, ...rest) =>
      name === file ? compiler.createSourceFile(name, text, rest[0]) : host.getSourceFile(name, ...rest),
  }
}

function describe(
  compiler: typeof ts,
  error: ts.Diagnostic,
  file: string,
  check: string,
  { noun }: Expected,
): string {
  const message = compiler.flattenDiagnosticMessageText(error.messageText, '\n  ')
  if (error.file === undefined || error.start === undefined) return `${file}: ${message}`
  if (error.file.fileName === check) return `${file}:1: its default export is no ${noun}. ${message}`
  const { line } = error.file.getLineAndCharacterOfPosition(error.start)
  return `${error.file.fileName}:${line + 1}: ${message}`
}
