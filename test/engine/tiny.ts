import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

// Many small workers on few cores: one thread each.
process.env.OMP_NUM_THREADS = '1'

/** The interpreter that runs the worker in tests. */
export const python =
  process.env.SJD2_PYTHON ?? fileURLToPath(new URL('../../.venv/bin/python', import.meta.url))

export interface Checkpoint {
  readonly folder: string
  remove(): void
}

const workerFolder = new URL('../../python_worker/', import.meta.url)

/** A random checkpoint, of 24 positions and 16 codes unless told, written by the worker's own training code. */
export function tinyCheckpoint(rows = 4, columns = 6, codes = 16, scale = 3): Checkpoint {
  const folder = mkdtempSync(join(tmpdir(), 'tiny-'))
  const shape = Object.entries({ rows, columns, codes, scale }).flatMap(([name, n]) => [`--${name}`, `${n}`])
  execFileSync(python, ['-m', 'sjd2_worker.training.tiny', '--out', folder, ...shape], { cwd: workerFolder })
  return { folder, remove: () => rmSync(folder, { recursive: true }) }
}
