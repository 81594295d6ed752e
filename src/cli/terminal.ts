/** All that is printed goes through here. */

/** A line of status that is rewritten in place on a terminal, and repeated now and then elsewhere. */
export interface Progress {
  /** Shows a line; too frequent ones are left out. */
  show(line: string): void
  /** Prints a line that stays. */
  log(line: string): void
  /** Takes the status line away. */
  clear(): void
}

type Stream = Pick<NodeJS.WriteStream, 'write' | 'isTTY' | 'columns'>

/**
 * @param stream standard error.
 * @param now milliseconds.
 */
export function createProgress(stream: Stream, now: () => number = () => performance.now()): Progress {
  // what calls itself dumb (Emacs' shell, some CI) shows escape sequences as they are
  const rewrites = stream.isTTY && process.env.TERM !== 'dumb'
  const interval = rewrites ? 100 : 5000
  let shown = false
  let last = Number.NEGATIVE_INFINITY
  const clear = () => {
    if (shown) stream.write('\r\x1b[2K')
    shown = false
  }
  return {
    show(line) {
      if (now() - last < interval) return
      last = now()
      clear()
      if (!rewrites) stream.write(`${line}\n`)
      else {
        stream.write(line.slice(0, (stream.columns || 80) - 1))
        shown = true
      }
    },
    log(line) {
      clear()
      stream.write(`${line}\n`)
    },
    clear,
  }
}

/** How wide help is: as the terminal, or as COLUMNS says, but no wider than lines are easily read. */
export function helpWidth({ columns }: Pick<NodeJS.WriteStream, 'columns'>): number {
  const widest = 100
  return Math.min(Number(process.env.COLUMNS) || columns || widest, widest)
}

/** Columns padded to equal width, two spaces apart; numbers to the right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  const numeric = widths.map((_, column) => rows.slice(1).every((row) => /^[\d–-]/.test(row[column])))
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          numeric[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column]),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** The same table in Markdown. */
export function formatMarkdown([head, ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** Seconds as people read them: 8.3 s, 4 min, 2 h 10 min. */
export function formatDuration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
