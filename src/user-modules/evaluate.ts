import { createJiti } from 'jiti'
import { PolicyError } from '../decoding/index.js'
import type { Blame } from './blame.js'
import type { Expected } from './expected.js'

/**
 * Runs a type-checked TypeScript module and the files it imports, independently of whatever loads this program's own
 * TypeScript, and gives its exports. jiti keeps lines and columns, so that errors name the user's. 'sjd2' is `library`: the
 * very objects that the program uses. Packages are resolved from the file.
 *
 * @param files the module and the files of the user's that it imports, which are run anew.
 * @throws what `refuse` makes where it throws while it is loaded; a PolicyError of its own as it is.
 */
export async function evaluate(
  file: string,
  files: Iterable<string>,
  library: object,
  blame: Blame,
  { refuse }: Expected,
): Promise<{ readonly default?: unknown }> {
  // through interopDefault's proxy, each call of the library in a pass would take longer
  const jiti = createJiti(file, { fsCache: false, interopDefault: false, virtualModules: { sjd2: library } })
  for (const path of files) delete jiti.cache[path]
  try {
    return await jiti.import(file)
  } catch (error) {
    if (error instanceof PolicyError) throw error
    throw refuse(`${blame(error) ?? file} failed while it was loaded: ${String(error)}`, 'Mend the file.')
  }
}
