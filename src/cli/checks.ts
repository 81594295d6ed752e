/** What `sjd2 doctor` and `sjd2 check-model` look at, and how it is told. */
import { choosePython, oldPackages, pythonProblem } from '../../setup/python.mjs'
import { projectRoot } from '../common/project.js'
import { commandName } from './command-name.js'
import type { Failure } from './failure.js'

export interface Check {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
  readonly remedy?: string | undefined
}

/** What a check finds: a detail, or what is wrong. */
export type Finding = string | Pick<Failure, 'message' | 'remedy'>

export function toCheck(name: string, finding: Finding): Check {
  return typeof finding === 'string'
    ? { name, ok: true, detail: finding }
    : { name, ok: false, detail: finding.message, remedy: finding.remedy }
}

export function formatCheck({ name, ok, detail, remedy }: Check): string {
  return `${ok ? '✓' : '✗'} ${name}: ${detail}${remedy ? `\n    ${remedy}` : ''}`
}

/** The Python that will run the worker: where it is, or what it lacks. */
export function lookAtPython(wanted: string | undefined): Finding {
  const { path, own } = choosePython(projectRoot, wanted, process.env)
  const problem = pythonProblem(path, projectRoot, process.env)
  if (!problem) return path
  return own
    ? problem
    : { message: `The Python environment is not ready: ${problem.message}`, remedy: `${commandName} setup` }
}

/** What of that Python's packages is too old; null where nothing is. */
export const lookAtVersions = (wanted: string | undefined) =>
  oldPackages(choosePython(projectRoot, wanted, process.env).path, projectRoot, process.env)
