import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode } from 'fast-png'
import { python } from '../engine/tiny.js'

/** A picture of 96x96 pixels, [96, 96, 3], that shows what its caption says. */
export interface DrawnScene {
  readonly file: string
  readonly caption: string
  readonly rgb: Uint8Array
}

/**
 * Scenes drawn by the program that draws the training data, of the seeds `first … first + count - 1`.
 * @param checkpoint a folder whose tokenizer the pictures are sent through.
 */
export function drawScenes(count: number, first: number, checkpoint?: string): DrawnScene[] {
  const folder = mkdtempSync(join(tmpdir(), 'scenes-'))
  try {
    const numbers = ['--count', `${count}`, '--first', `${first}`]
    const through = checkpoint ? ['--reconstruct', checkpoint] : []
    const render = ['-m', 'sjd2_worker.training.render', ...numbers, ...through, '--out', folder]
    execFileSync(python, render, { cwd: new URL('../../python_worker/', import.meta.url) })
    const lines = readFileSync(join(folder, 'captions.jsonl'), 'utf8').trim().split('\n')
    return lines.map((line) => {
      const { file, caption } = JSON.parse(line) as { file: string; caption: string }
      return { file, caption, rgb: new Uint8Array(decode(readFileSync(join(folder, file))).data) }
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}
