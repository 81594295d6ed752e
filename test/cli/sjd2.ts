/** Runs the real command, as a user does. */
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'

const launcher = fileURLToPath(new URL('../../bin/sjd2.mjs', import.meta.url))

export interface Place {
  readonly cwd?: string
  readonly env?: Record<string, string>
  /** In a process group of its own, as a terminal gives one to each command. */
  readonly detached?: boolean
}

const options = { reject: false, stdin: 'ignore', stripFinalNewline: true } as const

/** The command as a program and its arguments. */
export const sjd2Command = (args: readonly string[]): string[] => [process.execPath, launcher, ...args]

/** The command in the background. */
export function startSjd2(args: readonly string[], place: Place = {}) {
  const [program, ...words] = sjd2Command(args)
  return execa(program, words, { ...options, ...place })
}

/** The command to its end, whatever that is. */
export async function sjd2(
  args: readonly string[],
  place: Place = {},
): Promise<{ stdout: string; stderr: string; exitCode: number | undefined }> {
  const { stdout, stderr, exitCode } = await startSjd2(args, place)
  return { stdout, stderr, exitCode }
}
