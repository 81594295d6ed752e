/**
 * The warm workers of this user on this machine, each by its name: what it runs, where it listens, what it says. They
 * lie in a folder that nobody else can enter.
 */
import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { WorkerError } from './error.js'
import type { ModelOptions } from './process.js'

/** What was started. */
export interface Started extends ModelOptions {
  readonly name: string
  readonly endpoint: string
  /** Of its secret key, where it listens for other machines. */
  readonly key?: string | undefined
  readonly pid: number
  /** The protocol that it speaks. */
  readonly protocol: number
}

export interface WarmWorker extends Started {
  /** The end of what it wrote to its standard error. */
  lastLines(): string
}

/** How many lines of a worker's log are shown. */
const SHOWN = 20

/** Where a worker of that name keeps what. @throws WorkerError `bad-endpoint` */
export function placeOf(name: string): { record: string; socket: string; log: string } {
  if (!/^[\w.-]{1,40}$/.test(name)) {
    throw new WorkerError(
      'bad-endpoint',
      `"${name}" is no name for a worker.`,
      'Use letters, digits, dots and dashes, at most 40.',
    )
  }
  const path = join(folder(), name)
  return { record: `${path}.json`, socket: `${path}.sock`, log: `${path}.log` }
}

export function keepRecord(started: Started): void {
  const { record } = placeOf(started.name)
  writeFileSync(`${record}.new`, JSON.stringify(started), { mode: 0o600 })
  renameSync(`${record}.new`, record)
}

export function forgetRecord(name: string): void {
  for (const path of Object.values(placeOf(name))) rmSync(path, { force: true })
}

/** Undefined where there is none, as for an address. */
export function readRecord(name: string): WarmWorker | undefined {
  if (name.includes('://')) return undefined
  const { record, log } = placeOf(name)
  try {
    const started: Started = JSON.parse(readFileSync(record, 'utf8'))
    return { ...started, lastLines: () => readLog(log) }
  } catch {
    return undefined
  }
}

/** @throws WorkerError `no-worker` */
export function findRecord(name: string): WarmWorker {
  const record = readRecord(name)
  if (record !== undefined) return record
  const names = recordNames()
  throw new WorkerError(
    'no-worker',
    `There is no worker ${name} here.${names.length > 0 ? ` There are: ${names.join(', ')}.` : ''}`,
    `Start it: sjd2 worker start --name ${name}`,
  )
}

export function recordNames(): string[] {
  return readdirSync(folder())
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort()
}

/** The last lines of a log. */
export function readLog(path: string): string {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-SHOWN).join('\n')
  } catch {
    return ''
  }
}

function folder(): string {
  const { uid } = userInfo()
  const path = join(process.env.XDG_RUNTIME_DIR || tmpdir(), `sjd2-workers-${uid}`)
  mkdirSync(path, { mode: 0o700, recursive: true })
  const status = lstatSync(path)
  if (status.isDirectory() && status.uid === uid && (status.mode & 0o077) === 0) return path
  throw new WorkerError(
    'bad-endpoint',
    `${path}, where warm workers are kept, is open to other users or not yours.`,
    'Remove it, or set TMPDIR to a folder of your own.',
  )
}
