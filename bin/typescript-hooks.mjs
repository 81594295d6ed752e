// Module hooks: ts-node compiles each TypeScript file once, and what it wrote is kept under node_modules/.cache.
// Loading the TypeScript compiler takes longer than all else at start, so it is loaded for files that changed only.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = new URL('..', import.meta.url)
const cache = new URL('node_modules/.cache/sjd2/', root)
const settings = readFileSync(new URL('package-lock.json', root)) // pins ts-node and typescript

/** @type {import('node:module').ResolveHook} */
export async function resolve(specifier, context, next) {
  if (/^\.{0,2}\/.*\.js$/.test(specifier) && context.parentURL?.endsWith('.ts')) {
    const url = new URL(specifier.replace(/js$/, 'ts'), context.parentURL)
    if (existsSync(url)) return { url: url.href, shortCircuit: true }
  }
  // 'sjd2' itself, in a program that runs from a clone, is the sources and not what was built of them
  return next(specifier, { ...context, conditions: [...context.conditions, 'sjd2-source'] })
}

/** @type {import('node:module').LoadHook} */
export async function load(url, context, next) {
  const [file] = url.split(/[?#]/)
  if (!file?.startsWith('file:') || !file.endsWith('.ts')) return next(url, context)
  return { format: 'module', source: await compiled(fileURLToPath(file)), shortCircuit: true }
}

/**
 * @param {string} path of a TypeScript file
 * @returns {Promise<string>} JavaScript with its source map
 */
async function compiled(path) {
  const source = readFileSync(path, 'utf8')
  const key = createHash('sha256').update(settings).update(path).update('\0').update(source).digest('hex')
  const kept = new URL(`${key}.mjs`, cache)
  if (existsSync(kept)) return readFileSync(kept, 'utf8')
  const output = (await compiler()).compile(source, path)
  try {
    mkdirSync(cache, { recursive: true })
    const draft = new URL(`${key}.${process.pid}.tmp`, cache)
    writeFileSync(draft, output)
    renameSync(draft, kept)
  } catch {
    // a read-only installation is compiled anew each time
  }
  return output
}

/** @type {Promise<import('ts-node').Service> | undefined} */
let service

function compiler() {
  service ??= import('ts-node').then(({ default: tsNode }) =>
    tsNode.create({
      cwd: fileURLToPath(root),
      project: fileURLToPath(new URL('tsconfig.json', root)),
      transpileOnly: true,
      ignore: [],
      compilerOptions: { module: 'ESNext', moduleResolution: 'Bundler' }, // every file is an ES module
    }),
  )
  return service
}
