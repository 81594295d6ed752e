import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { expect, test } from 'vitest'
import { sjd2Command, startSjd2 } from './sjd2.js'

/** A device that has no room, as Linux has it. */
const full = '/dev/full'

/** What a command says on standard error, and its exit code, where one of its outputs is full. */
async function runFull(which: 'stdout' | 'stderr', args: readonly string[]) {
  const file = openSync(full, 'w')
  const stdio =
    which === 'stdout' ? (['ignore', file, 'pipe'] as const) : (['ignore', 'ignore', file] as const)
  const [program, ...words] = sjd2Command(args)
  const run = spawn(program, words, { stdio: [...stdio] })
  closeSync(file)
  let said = ''
  run.stderr?.on('data', (data) => {
    said += data
  })
  const exitCode = await new Promise<number | null>((resolve) => run.on('close', resolve))
  return { said, exitCode }
}

test.each([[['policies']], [['policies', '--json']], [['--help']], [['worker', 'status']]])(
  '%j ends quietly where nobody reads it',
  async (args) => {
    const run = startSjd2(args)
    run.stdout!.destroy()
    expect(await run).toMatchObject({ exitCode: 141, stderr: '' })
  },
)

test.skipIf(!existsSync(full))('a full standard output is told in a line', async () => {
  const { said, exitCode } = await runFull('stdout', ['policies'])
  expect(said).toMatch(/^Standard output cannot be written: ENOSPC.*send it elsewhere\.\n$/)
  expect(exitCode).toBe(1)
})

test.skipIf(!existsSync(full))('a full standard error changes nothing', async () => {
  expect(await runFull('stderr', ['polices'])).toEqual({ said: '', exitCode: 2 })
})
