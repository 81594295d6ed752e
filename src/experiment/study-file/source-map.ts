/** A YAML text, and the lines on which its parts stand. */
import { isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml'
import { ExperimentError } from '../error.js'
import type { Path, Problem } from '../problems.js'

export interface SourceMap {
  readonly value: unknown
  /** Whether the text has such a part. */
  has(path: Path): boolean
  /** The error that names all problems, each with file, line and key. */
  refuse(problems: readonly Problem[]): ExperimentError
}

/**
 * @param name the file's, for messages.
 * @throws ExperimentError `bad-study` where the text is no YAML.
 */
export function parseYaml(text: string, name: string): SourceMap {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })

  const refuseLines = (found: readonly (readonly [line: number, message: string])[]) =>
    new ExperimentError(
      'bad-study',
      found
        .toSorted(([a], [b]) => a - b)
        .map(([line, message]) => `${name}:${line}: ${message}`)
        .join('\n'),
      'Mend the file; nothing was run. examples/study.yaml shows all that a study can say.',
    )

  /** The line of a part, or of the nearest part around it that is there. */
  function lineOf(path: Path): number {
    const parent = document.getIn(path.slice(0, -1), true)
    const pair = isMap(parent)
      ? parent.items.find(({ key }) => isScalar(key) && key.value === path.at(-1))
      : undefined
    const node = pair ? pair.key : document.getIn(path, true)
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
    return path.length === 0 ? 1 : lineOf(path.slice(0, -1))
  }

  /** What the text says; an alias (`*name`) may be of nothing, or make far more of it than anybody wrote. */
  function plain(): unknown {
    try {
      return document.toJS()
    } catch (error) {
      throw refuseLines([[1, (error as Error).message]])
    }
  }

  if (document.errors.length > 0) {
    throw refuseLines(document.errors.map(({ pos, message }) => [lines.linePos(pos[0]).line, message]))
  }
  return {
    value: plain(),
    has: (path) => document.hasIn(path),
    refuse: (problems) =>
      refuseLines(
        problems.map(({ path, message }) => [
          lineOf(path),
          path.length === 0 ? message : `${keyOf(path)}: ${message}`,
        ]),
      ),
  }
}

/** `policies[2].window` */
const keyOf = (path: Path): string =>
  path.map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`)).join('')
