/**
 * Where in a user's files an error came from: `file:line:column` of the innermost of its stack's frames that lies in one
 * of them; null where none does.
 */
export type Blame = (error: unknown) => string | null

/** @param files absolute paths. */
export function blaming(files: readonly string[]): Blame {
  return (error) => {
    const frames = error instanceof Error ? (error.stack ?? '').split('\n') : []
    for (const frame of frames) {
      const [place] = /:\d+:\d+(?=\)?$)/.exec(frame) ?? []
      const file = files.find((path) => place !== undefined && frame.includes(`${path}${place}`))
      if (file !== undefined) return `${file}${place}`
    }
    return null
  }
}
