import { type Toy, toy } from './toy-model.js'

// Models whose pictures are decoded row by row, several rows at once.

export const START = 4
export const NEWLINE = 7
export const END = 9

/** Rows that nothing separates. */
export function plain(rows: number, columns: number): Toy {
  return toy({ layout: Array.from({ length: rows * columns }, () => -1), rowLength: columns, codes: 4 })
}

/** Two forced tokens, rows that end in a new line, an end. */
export function lined(rows: number, columns: number): Toy {
  const row = [...Array.from({ length: columns }, () => -1), NEWLINE]
  const layout = [START, START, ...Array.from({ length: rows }, () => row).flat(), END]
  return toy({ layout, rowLength: columns + 1, codes: 4 })
}

/** Forced within rows too, and rows of 2, 2, 2 and 3 codes; 11 is an image code elsewhere. */
export const ragged = toy({
  layout: [4, 5, -1, -1, 0, -1, 11, -1, 0, -1, -1, -1, -1, -1, 7],
  rowLength: 3,
  codes: 2,
})
