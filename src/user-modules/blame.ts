import { SourceMap, type SourceMapPayload } from 'node:module'

/**
 * Where in a user's files an error came from: `file:line:column` of the innermost of its stack's frames that lies in one
 * of them; null where none does.
 */
export type Blame = (error: unknown) => string | null

/** @param maps from what runs to what the user wrote, by the file's absolute path. */
export function blaming(maps: ReadonlyMap<string, SourceMapPayload>): Blame {
  return (error) => {
    const frames = error instanceof Error ? (error.stack ?? '').split('\n') : []
    for (const frame of frames) {
      const [, line, column] = /:(\d+):(\d+)\)?$/.exec(frame) ?? []
      const [file, map] = [...maps].find(([path]) => frame.includes(`${path}:${line}:${column}`)) ?? []
      if (map === undefined) continue
      const place = new SourceMap(map).findEntry(Number(line) - 1, Number(column) - 1)
      if ('originalLine' in place) return `${file}:${place.originalLine + 1}:${place.originalColumn + 1}`
    }
    return null
  }
}
