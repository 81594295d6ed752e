/** Runs the real command, as a user does. */
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'

const launcher = fileURLToPath(new URL('../../bin/sjd2.mjs', import.meta.url))

export interface Place {
  readonly cwd?: string
  readonly env?: Record<string, string>
}

const options = { reject: false, stdin: 'ignore', stripFinalNewline: true } as const

/** The command in the background. */
export const startSjd2 = (args: readonly string[], place: Place = {}) =>
  execa(process.execPath, [launcher, ...args], { ...options, ...place })

/** The command to its end, whatever that is. */
export async function sjd2(
  args: readonly string[],
  place: Place = {},
): Promise<{ stdout: string; stderr: string; exitCode: number | undefined }> {
  const { stdout, stderr, exitCode } = await startSjd2(args, place)
  return { stdout, stderr, exitCode }
}
