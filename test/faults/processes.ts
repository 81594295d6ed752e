import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, vi } from 'vitest'

/** Whether a process runs; one that has ended and that nobody has asked after does not. */
export function runs(pid: number): boolean {
  try {
    return !execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).startsWith('Z')
  } catch {
    return false
  }
}

/** Waits until a process has ended. */
export async function ended(pid: number): Promise<void> {
  await vi.waitFor(() => expect(runs(pid)).toBe(false), { timeout: 60_000, interval: 100 })
}

/** A folder that is the temporary one (TMPDIR) until it is left. */
export function privateTemporaryFolder(): { readonly folder: string; leave(): void } {
  const before = process.env.TMPDIR
  const folder = mkdtempSync(join(tmpdir(), 'test-'))
  process.env.TMPDIR = folder
  return {
    folder,
    leave() {
      if (before === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = before
      rmSync(folder, { recursive: true })
    },
  }
}

/** Writes an executable shell script. */
export function script(path: string, ...lines: string[]): string {
  writeFileSync(path, ['#!/bin/sh', ...lines, ''].join('\n'))
  chmodSync(path, 0o755)
  return path
}
