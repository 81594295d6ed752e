import { fileURLToPath } from 'node:url'
import type ts from 'typescript'
import { PolicyError } from '../decoding/index.js'

const fromProject = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/**
 * Type-checks a policy file, under the project's compiler settings but for what is a matter of taste (unused
 * names) and of where the file lies: it is read as an ES module, and 'sjd2' is this project, wherever that
 * is.
 *
 * @returns the options it was checked with.
 * @throws PolicyError naming file and line of the first error, with all of them in its message.
 */
export function typeCheck(compiler: typeof ts, file: string): ts.CompilerOptions {
  const options = compilerOptions(compiler)
  const check = `${file}.check.ts`
  const host = withFile(compiler, options, check, checkOf(file))
  const program = compiler.createProgram([file, check], options, host)
  const library = fromProject('src/')
  const sources = program
    .getSourceFiles()
    .filter(
      ({ isDeclarationFile, fileName }) =>
        !isDeclarationFile && (fileName === file || !fileName.startsWith(library)),
    )
  const errors = sources.flatMap((source) => [
    ...program.getSyntacticDiagnostics(source),
    ...program.getSemanticDiagnostics(source),
  ])
  if (errors.length > 0) {
    throw new PolicyError(
      errors.map((error) => describe(compiler, error, file, check)).join('\n'),
      'Mend the file; nothing of it was run. The types of what it imports are in src/decoding/.',
    )
  }
  return options
}

function compilerOptions(compiler: typeof ts): ts.CompilerOptions {
  const { config } = compiler.readConfigFile(fromProject('tsconfig.json'), compiler.sys.readFile)
  const project = compiler.convertCompilerOptionsFromJson(config.compilerOptions, fromProject('.')).options
  return {
    ...project,
    module: compiler.ModuleKind.ESNext,
    moduleResolution: compiler.ModuleResolutionKind.Bundler,
    paths: { sjd2: [fromProject('src/index.ts')] },
    typeRoots: [fromProject('node_modules/@types')],
    allowImportingTsExtensions: true,
    verbatimModuleSyntax: false,
    noUnusedLocals: false,
    noUnusedParameters: false,
    noEmit: true,
  }
}

/** A program's text that compiles iff the file's default export is a policy or makes one. */
function checkOf(file: string): string {
  return [
    "import type { DecodingPolicy, PolicyFactory } from 'sjd2'",
    `import policy from ${JSON.stringify(file)}`,
    'const checked: DecodingPolicy | PolicyFactory = policy',
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

function describe(compiler: typeof ts, error: ts.Diagnostic, file: string, check: string): string {
  const message = compiler.flattenDiagnosticMessageText(error.messageText, '\n  ')
  if (error.file === undefined || error.start === undefined) return `${file}: ${message}`
  if (error.file.fileName === check) return `${file}:1: its default export is no policy. ${message}`
  const { line } = error.file.getLineAndCharacterOfPosition(error.start)
  return `${error.file.fileName}:${line + 1}: ${message}`
}
